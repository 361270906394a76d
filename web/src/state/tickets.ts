import type { Concert } from './concerts.ts'
import type { Reservation } from './holds.ts'
import { keep } from './storage.ts'

/** What a ticket shows, kept so that it can be shown at the door without a network. */
export type Ticket = Pick<Reservation, 'reservationId' | 'concertId' | 'showId' | 'seats' | 'total'> &
  Pick<Concert, 'title' | 'artist' | 'venue'> & { startsAt: string; name: string }

/** More than anyone goes to, and little enough to fit. */
const most = 50

const kept = keep<Ticket[]>('tickets', [])

export function ticketOf(reservationId: string): Ticket | undefined {
  return kept.signal.value.find((ticket) => ticket.reservationId === reservationId)
}

export function keepTicket(ticket: Ticket): void {
  const others = kept.signal.value.filter(({ reservationId }) => reservationId !== ticket.reservationId)
  kept.set([ticket, ...others].slice(0, most))
}

/** Tickets that this device can show, the latest first. */
export const keptTickets = kept.signal
