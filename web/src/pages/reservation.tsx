import { useEffect, useState } from 'preact/hooks'
import { call } from '../api/client.ts'
import { Refusal } from '../api/refusal.ts'
import { Empty, Failed, Loading, PageTitle } from '../components/page.tsx'
import { SignInOver } from '../components/inside.tsx'
import { useLoaded } from '../components/use-loaded.ts'
import { format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { account, isSignInOver } from '../state/account.ts'
import { serverNow } from '../state/clock.ts'
import { readConcert, type ConcertWithShows } from '../state/concerts.ts'
import { isPaying, noteReservation, type Reservation as Details } from '../state/holds.ts'
import { keepTicket, ticketOf, type Ticket as Kept } from '../state/tickets.ts'
import { Checkout } from './checkout.tsx'
import { Ticket } from './ticket.tsx'

/** One reservation: to be paid, paid, or gone. The address stays the same, whatever becomes of it. */
export function Reservation({ reservationId }: { reservationId: string }) {
  const { gone, ended } = t.value
  const [isOver, setOver] = useState(false)
  const { value, error, reload } = useLoaded(`${reservationId} ${account.value?.userId}`, async (signal) => {
    const reservation = await call('readReservation', { params: { reservationId }, signal })
    noteReservation(reservation)
    return { reservation, concert: await readConcert(reservation.concertId, signal) }
  })
  const ticket = value ? ticketFor(value.reservation, value.concert) : ticketOf(reservationId)
  useEffect(() => {
    if (value?.reservation.state === 'paid' && ticket) keepTicket(ticket)
  }, [value])

  // What was opened here before can be shown at the door without a network, and without a sign-in.
  if (ticket && (!value || value.reservation.state === 'paid')) return <Ticket ticket={ticket} />
  if (isSignInOver.value) return <SignInOver />
  const isMissing = error instanceof Refusal && !error.isPassing
  if (isMissing || !account.value) {
    return (
      <section class="narrow">
        <PageTitle isHidden>{gone.notFound}</PageTitle>
        <Empty icon="search" title={gone.notFound} text={gone.notFoundSub}>
          <a class="button button-main" href={urlTo('reservations')}>
            {ended.tickets}
          </a>
          <a class="button" href={urlTo('concerts')}>
            {ended.concerts}
          </a>
        </Empty>
      </section>
    )
  }
  if (!value) return error === undefined ? <Loading lines={5} /> : <Failed error={error} reload={reload} />
  const { reservation, concert } = value
  const isHeld =
    reservation.state === 'held' &&
    !isOver &&
    // A payment that was sent in time and not answered yet is asked about, however late it is.
    (new Date(reservation.heldUntil).getTime() > serverNow() || isPaying(reservationId))
  if (isHeld) {
    return (
      <Checkout
        reservation={reservation}
        concert={concert}
        onChange={reload}
        onOver={() => {
          setOver(true)
          noteReservation({ ...reservation, state: 'expired' })
        }}
      />
    )
  }
  return <Gone reservation={reservation} />
}

function ticketFor(reservation: Details, concert: ConcertWithShows): Kept {
  const { reservationId, concertId, showId, seats, total } = reservation
  const { title, artist, venue, shows, saleClosesAt } = concert
  const startsAt = shows.find((show) => show.showId === showId)?.startsAt ?? saleClosesAt
  const name = account.value?.name ?? ''
  return { reservationId, concertId, showId, seats, total, title, artist, venue, startsAt, name }
}

/** A hold that was not paid: what became of it, and the way back to the map. */
function Gone({ reservation }: { reservation: Details }) {
  const { gone, ended } = t.value
  const { concertId, showId, seats, state } = reservation
  const list = format.seats(seats.map(({ number }) => number))
  const isCancelled = state === 'cancelled'
  const title = isCancelled ? gone.cancelledTitle : gone.expiredTitle
  return (
    <section class="narrow">
      <PageTitle isHidden>{title}</PageTitle>
      <div role="alert">
        <Empty
          icon={isCancelled ? 'door' : 'clock'}
          title={title}
          text={isCancelled ? gone.cancelled(list) : gone.expired(list)}
        >
          <a class="button button-main" href={urlTo('seats', { concertId, showId })}>
            {gone.again}
          </a>
          <a class="button" href={urlTo('concerts')}>
            {ended.concerts}
          </a>
        </Empty>
      </div>
    </section>
  )
}
