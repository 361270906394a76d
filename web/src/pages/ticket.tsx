import { useMemo } from 'preact/hooks'
import { encode } from 'uqr'
import { Icon } from '../components/icon.tsx'
import { PageTitle } from '../components/page.tsx'
import { Poster } from '../components/poster.tsx'
import { Steps } from '../components/steps.tsx'
import { format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import type { Ticket as Kept } from '../state/tickets.ts'

/** The ticket: what the door needs, on a phone or on paper. */
export function Ticket({ ticket }: { ticket: Kept }) {
  const words = t.value.ticket
  const { reservationId, concertId, title, artist, venue, startsAt, seats, total, name } = ticket
  const numbers = seats.map((seat) => seat.number)
  return (
    <section class="ticket-page">
      <Steps at={4} />
      <PageTitle>{words.title}</PageTitle>
      <p class="lead">{words.sub}</p>
      <article class="ticket" aria-label={`${words.heading}: ${title}`}>
        <div class="ticket-art">
          <Poster concert={ticket} bare />
        </div>
        <div class="ticket-main">
          <h2>{title}</h2>
          <p>{artist}</p>
          <dl class="ticket-facts">
            <div class="ticket-wide">
              <dt>{words.date}</dt>
              <dd>
                {format.full(startsAt)} <span class="quiet">({t.value.koreanTime})</span>
              </dd>
            </div>
            <div class="ticket-wide">
              <dt>{words.venue}</dt>
              <dd>{venue}</dd>
            </div>
            <div>
              <dt>{words.seat}</dt>
              <dd class="ticket-seat">{format.seatList(numbers)}</dd>
            </div>
            <div>
              <dt>{words.name}</dt>
              <dd>{name}</dd>
            </div>
            <div>
              <dt>{words.paid}</dt>
              <dd>{format.won(total)}</dd>
            </div>
          </dl>
        </div>
        <div class="ticket-stub">
          <Code text={reservationId.toUpperCase()} label={words.code(reservationId)} />
          <p>{words.oneEach(seats.length)}</p>
          <p class="ticket-number">{reservationId}</p>
        </div>
      </article>
      <div class="actions actions-middle no-print">
        <button class="button button-main" onClick={() => print()}>
          <Icon name="print" />
          {words.print}
        </button>
        <a class="button" href={urlTo('reservations')}>
          {words.all}
        </a>
        <a class="button" href={urlTo('concert', { concertId })}>
          {words.more}
        </a>
      </div>
    </section>
  )
}

/** A code for a scanner: dark on white in either theme, with the quiet edge that scanners need. */
function Code({ text, label }: { text: string; label: string }) {
  const { data, size } = useMemo(() => encode(text, { ecc: 'M', border: 2 }), [text])
  const path = data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ''))).join('')
  return (
    <svg
      class="code"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
