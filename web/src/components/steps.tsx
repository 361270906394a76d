import { t } from '../i18n/index.ts'
import { Icon } from './icon.tsx'

/** Where in the purchase the fan is. */
export function Steps({ at }: { at: 0 | 1 | 2 | 3 | 4 }) {
  return (
    <ol class="steps" aria-label={t.value.steps.label}>
      {t.value.steps.names.map((name, index) => (
        <li key={name} class={index < at ? 'step-done' : ''} aria-current={index === at ? 'step' : undefined}>
          <span class="step-mark" aria-hidden="true">
            {index < at ? <Icon name="check" /> : index + 1}
          </span>
          <span>{name}</span>
        </li>
      ))}
    </ol>
  )
}
