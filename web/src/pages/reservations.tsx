import { useEffect, useState } from 'preact/hooks'
import { call } from '../api/client.ts'
import { Icon } from '../components/icon.tsx'
import { Me, Nobody } from '../components/me.tsx'
import { Notice } from '../components/notice.tsx'
import { Empty, Failed, Loading } from '../components/page.tsx'
import { Poster } from '../components/poster.tsx'
import { usePages } from '../components/use-pages.ts'
import { format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { account, isSignInOver } from '../state/account.ts'
import { readBalance } from '../state/balance.ts'
import { serverNow } from '../state/clock.ts'
import { knownConcert, readConcert } from '../state/concerts.ts'
import type { Reservation } from '../state/holds.ts'
import { keptTickets } from '../state/tickets.ts'

export function Reservations() {
  return (
    <Me tab="reservations">
      {account.value === null ? <Nobody /> : isSignInOver.value ? <KeptTickets /> : <List />}
    </Me>
  )
}

function List() {
  const words = t.value.me
  const { value, error, reload, hasMore, more } = usePages(
    account.value?.userId ?? '',
    async (cursor, signal) => {
      const query = cursor === undefined ? {} : { cursor }
      const { reservations, nextCursor } = await call('listReservations', { query, signal })
      return { items: reservations, nextCursor }
    },
  )
  useEffect(() => {
    // Shown beside the tab only; its own page says when it cannot be read.
    readBalance().catch(() => {})
  }, [])
  if (!value) return error === undefined ? <Loading lines={4} /> : <Failed error={error} reload={reload} />
  if (value.length === 0) {
    return (
      <Empty icon="ticket" title={words.none} text={words.noneSub}>
        <a class="button button-main" href={urlTo('concerts')}>
          {words.find}
        </a>
      </Empty>
    )
  }
  return (
    <>
      <ul class="list">
        {value.map((reservation) => (
          <Row key={reservation.reservationId} reservation={reservation} />
        ))}
      </ul>
      {hasMore && (
        <div class="actions actions-middle">
          <button class="button" onClick={more}>
            {words.more}
          </button>
        </div>
      )}
    </>
  )
}

function Row({ reservation }: { reservation: Reservation }) {
  const words = t.value.me
  const { reservationId, concertId, showId, seats, total, heldUntil } = reservation
  const [concert, setConcert] = useState(knownConcert(concertId))
  useEffect(() => {
    // The row says what it knows without the name as well.
    if (!concert) readConcert(concertId).then(setConcert, () => {})
  }, [concertId])
  const isOver = reservation.state === 'held' && new Date(heldUntil).getTime() <= serverNow()
  const state = isOver ? 'expired' : reservation.state
  const startsAt = concert?.shows.find((show) => show.showId === showId)?.startsAt
  return (
    <li class={`row row-${state}`}>
      <a href={urlTo('reservation', { reservationId })}>
        <span class="row-poster">{concert && <Poster concert={concert} bare />}</span>
        <span class="row-text">
          <strong>{concert?.title ?? t.value.loading}</strong>
          <span>{startsAt && format.long(startsAt)}</span>
          <span class="quiet">
            {format.seats(seats.map(({ number }) => number))} · {format.won(total)}
          </span>
        </span>
        <span class="row-end">
          <span class={`chip chip-${state}`}>{words.state[state]}</span>
          {state === 'held' && <span class="quiet">{words.untilTime(format.time(heldUntil))}</span>}
        </span>
        <Icon name="arrow" />
      </a>
    </li>
  )
}

/** Tickets of a sign-in that has run out: still good at the door. */
function KeptTickets() {
  const { me, signIn } = t.value
  return (
    <>
      <Notice
        kind="warn"
        title={signIn.over}
        actions={
          <a class="button button-small" href={urlTo('concerts')}>
            {signIn.again}
          </a>
        }
      >
        {signIn.overSub}
      </Notice>
      <h2>{me.kept}</h2>
      <ul class="list">
        {keptTickets.value.map((ticket) => (
          <li key={ticket.reservationId} class="row row-paid">
            <a href={urlTo('reservation', { reservationId: ticket.reservationId })}>
              <span class="row-poster">
                <Poster concert={ticket} bare />
              </span>
              <span class="row-text">
                <strong>{ticket.title}</strong>
                <span>{format.long(ticket.startsAt)}</span>
                <span class="quiet">{format.seats(ticket.seats.map(({ number }) => number))}</span>
              </span>
              <Icon name="arrow" />
            </a>
          </li>
        ))}
      </ul>
    </>
  )
}
