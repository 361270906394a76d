import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { explain, t } from '../i18n/index.ts'
import { pageTitle } from '../state/title.ts'
import { Icon, type IconName } from './icon.tsx'

let isFirstPage = true

/** The heading of a page. It takes the focus when the page opens, so that a screen reader begins there. */
export function PageTitle({
  children,
  title,
  isHidden,
}: {
  children: ComponentChildren
  title?: string
  isHidden?: boolean
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  const text = title ?? (typeof children === 'string' ? children : '')
  useEffect(() => {
    pageTitle.value = text
  }, [text])
  useEffect(() => {
    if (!isFirstPage) heading.current?.focus({ preventScroll: true })
    isFirstPage = false
  }, [])
  return (
    <h1 ref={heading} tabIndex={-1} class={isHidden ? 'sr-only' : undefined}>
      {children}
    </h1>
  )
}

/** Room for what is on its way; says so only when it takes long enough to wonder. */
export function Loading({ lines = 3 }: { lines?: number }) {
  return (
    <div class="loading" role="status">
      <span class="sr-only">{t.value.loading}</span>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} class="bone" aria-hidden="true" />
      ))}
    </div>
  )
}

/** Nothing here, why, and where to go now. */
export function Empty(props: { icon: IconName; title: string; text?: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={props.icon} />
      </span>
      <h2>{props.title}</h2>
      {props.text && <p>{props.text}</p>}
      {props.children && <div class="actions">{props.children}</div>}
    </div>
  )
}

/** A page that could not be loaded, in words, with the next step. */
export function Failed({
  error,
  reload,
  children,
}: {
  error: unknown
  reload: () => void
  children?: ComponentChildren
}) {
  return (
    <div role="alert">
      <Empty icon="alert" title={t.value.problem.title} text={explain(error)}>
        <button class="button" onClick={reload}>
          {t.value.tryAgain}
        </button>
        {children}
      </Empty>
    </div>
  )
}
