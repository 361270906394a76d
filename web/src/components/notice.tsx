import type { ComponentChildren } from 'preact'
import { Icon, type IconName } from './icon.tsx'

type Kind = 'info' | 'good' | 'warn' | 'bad'

const icons: Record<Kind, IconName> = { info: 'info', good: 'check', warn: 'alert', bad: 'alert' }

/** Says what happened and gives the next step. `isUrgent` is read out at once. */
export function Notice(props: {
  kind?: Kind
  icon?: IconName
  title?: string
  isUrgent?: boolean
  actions?: ComponentChildren
  children?: ComponentChildren
}) {
  const { kind = 'info', icon = icons[kind], title, isUrgent = false, actions, children } = props
  return (
    <div class={`notice notice-${kind}`} role={isUrgent ? 'alert' : undefined}>
      <Icon name={icon} />
      <div>
        {title && <strong>{title}</strong>}
        {children && <div class="notice-text">{children}</div>}
        {actions && <div class="actions">{actions}</div>}
      </div>
    </div>
  )
}
