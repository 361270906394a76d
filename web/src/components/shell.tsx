import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { format, language, languageNames, setLanguage, t, type Language } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { account } from '../state/account.ts'
import { announce, polite, urgent } from '../state/announce.ts'
import { now, secondsUntil } from '../state/clock.ts'
import { isConnected } from '../state/connection.ts'
import { hold } from '../state/holds.ts'
import { page } from '../state/location.ts'
import { followPlace, places, stateOf } from '../state/places.ts'
import { setTheme, theme, themes } from '../state/theme.ts'
import { Icon } from './icon.tsx'

/** What is around every page: the way home, where the fan stands, language and appearance. */
export function Shell({ children }: { children: ComponentChildren }) {
  const { skip, home, nav, footer, apiDocs } = t.value
  return (
    <>
      <a class="skip" href="#content" onClick={() => document.querySelector<HTMLElement>('h1')?.focus()}>
        {skip}
      </a>
      <header class="top">
        <a class="brand" href={urlTo('concerts')} aria-label={home}>
          <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect width="32" height="32" rx="9" />
            <path d="M7 23v-6a9 9 0 0 1 18 0v6M12.5 23v-5.5a3.5 3.5 0 0 1 7 0V23" />
          </svg>
          <span>Frontrow</span>
        </a>
        <nav aria-label={nav.main}>
          <a class="nav-link" href={urlTo('reservations')}>
            <Icon name="ticket" />
            <span>{nav.me}</span>
          </a>
          <LanguageSwitch />
          <ThemeSwitch />
        </nav>
      </header>
      <WhereYouStand />
      <Connection />
      <main id="content">{children}</main>
      <footer class="bottom">
        <p>{footer}</p>
        <p>
          <a href="/docs">{apiDocs}</a>
        </p>
      </footer>
      <div class="sr-only" aria-live="polite" role="status">
        {polite.value}
      </div>
      <div class="sr-only" aria-live="assertive" role="alert">
        {urgent.value}
      </div>
    </>
  )
}

function LanguageSwitch() {
  const other: Language = language.value === 'ko' ? 'en' : 'ko'
  return (
    <button class="icon-button" lang={other} onClick={() => setLanguage(other)}>
      <span aria-hidden="true">{other === 'ko' ? '한' : 'EN'}</span>
      <span class="sr-only">{languageNames[other]}</span>
    </button>
  )
}

function ThemeSwitch() {
  const words = t.value.theme
  const next = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'auto'
  return (
    <button
      class="icon-button"
      aria-label={`${words.label}: ${words[theme.value]}`}
      title={`${words.label}: ${words[theme.value]}`}
      onClick={() => {
        setTheme(next)
        announce(`${words.label}: ${words[next]}`)
      }}
    >
      <Icon name={theme.value === 'auto' ? 'auto' : theme.value === 'light' ? 'sun' : 'moon'} />
    </button>
  )
}

/** A place in line or a hold is never out of sight, whatever page is open. */
function WhereYouStand() {
  const { bar } = t.value
  const current = page.value
  const held = hold.value
  const openConcert = Number(current?.params['concertId'])
  const place = places.value.find(
    ({ concertId }) => concertId !== openConcert && stateOf(concertId)?.status !== 'ended',
  )
  const follows = place && account.value ? place.concertId : undefined
  useEffect(() => (follows === undefined ? undefined : followPlace(follows)), [follows])

  const isHeld = held && new Date(held.heldUntil).getTime() > now.value
  if (isHeld && current?.params['reservationId'] !== held.reservationId) {
    return (
      <aside class="stand stand-held" aria-label={bar.label}>
        <span>
          <Icon name="clock" />
          {bar.hold(format.seats(held.seats.map(({ number }) => number)))}
          <b class="stand-time">{format.clock(secondsUntil(held.heldUntil, now.value))}</b>
        </span>
        <a class="button button-small" href={urlTo('reservation', { reservationId: held.reservationId })}>
          {bar.pay}
        </a>
      </aside>
    )
  }
  const state = place && stateOf(place.concertId)
  if (!place || !state || (isHeld && held.concertId === place.concertId)) return null
  const { concertId, title } = place
  const isTurn = state.status === 'active'
  return (
    <aside class="stand" aria-label={bar.label}>
      <span>
        <Icon name={isTurn ? 'door' : 'people'} />
        <b>{title}</b> {isTurn ? bar.turn : bar.line(format.number(state.ahead))}
      </span>
      <a
        class="button button-small"
        href={isTurn ? urlTo('shows', { concertId }) : urlTo('line', { concertId })}
      >
        {isTurn ? bar.toSeats : bar.toLine}
      </a>
    </aside>
  )
}

/** A lost connection is said once, and that it is back. */
function Connection() {
  const { offline, online } = t.value
  const wasConnected = useRef(isConnected.value)
  useEffect(() => {
    if (wasConnected.current !== isConnected.value) announce(isConnected.value ? online : offline)
    wasConnected.current = isConnected.value
  }, [isConnected.value])
  if (isConnected.value) return null
  return (
    <div class="offline">
      <Icon name="offline" />
      {offline}
    </div>
  )
}
