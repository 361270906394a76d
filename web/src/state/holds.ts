import { computed } from '@preact/signals'
import { call, type Answer } from '../api/client.ts'
import { account } from './account.ts'
import { once, openIntents } from './intents.ts'
import { forgetPlace, placeOf } from './places.ts'
import { keep } from './storage.ts'

export type Reservation = Answer<'readReservation'>
export type Hold = Pick<
  Reservation,
  'reservationId' | 'concertId' | 'showId' | 'seats' | 'total' | 'heldUntil'
>

const kept = keep<Hold | null>('hold', null)

/** The hold that this browser made last and that may still be paid. */
export const hold = computed(() => kept.signal.value)

const intentOf = (showId: number) => `hold:${showId}`
const payIntentOf = (reservationId: string) => `pay:${reservationId}`

/** Holds seats: all of them or none. Asked again after a reload, it answers what the first asking did. */
export async function holdSeats(
  concertId: number,
  showId: number,
  seats: number[],
  onWaiting?: () => void,
): Promise<Hold> {
  const place = placeOf(concertId)?.token
  const answer = await once(intentOf(showId), 'holdSeats', { body: { showId, seats }, place }, onWaiting)
  const made: Hold = { ...answer, concertId }
  kept.set(made)
  return made
}

/** Seats that were asked for before a reload, and whether they are held is not known. */
export function openHold(showId: number): number[] | undefined {
  const [found] = openIntents(intentOf(showId)).filter(([name]) => name === intentOf(showId))
  return found ? (found[1].body as { seats: number[] }).seats : undefined
}

export function isPaying(reservationId: string): boolean {
  return openIntents(payIntentOf(reservationId)).length > 0
}

/** Pays a hold, once, however often it is asked for. */
export async function payHold(
  { reservationId, concertId }: Pick<Reservation, 'reservationId' | 'concertId'>,
  onWaiting?: () => void,
): Promise<Answer<'payReservation'>> {
  const place = placeOf(concertId)?.token
  const answer = await once(
    payIntentOf(reservationId),
    'payReservation',
    { body: { reservationId }, place },
    onWaiting,
  )
  noteReservation({ reservationId, state: 'paid' })
  // Paying ends the session; the fan may join again.
  forgetPlace(concertId)
  return answer
}

export async function cancelHold(reservationId: string): Promise<void> {
  await call('cancelHold', { params: { reservationId } })
  noteReservation({ reservationId, state: 'cancelled' })
}

/** Lets go of a hold that the service says is no longer one, and finds one that another device made. */
export function noteReservation(
  reservation: Pick<Reservation, 'reservationId' | 'state'> & Partial<Reservation>,
): void {
  const { reservationId, state } = reservation
  if (state !== 'held') {
    if (hold.value?.reservationId === reservationId) kept.set(null)
  } else if (reservation.heldUntil && hold.value?.heldUntil !== reservation.heldUntil) {
    kept.set(reservation as Reservation)
  }
}

export function forgetHold(): void {
  kept.set(null)
}

/** Finds the hold of a fan who comes back with nothing kept. */
export async function findHold(): Promise<void> {
  if (!account.value || hold.value) return
  const { reservations } = await call('listReservations', { query: { limit: 10 } })
  const held = reservations.find(({ state }) => state === 'held')
  if (held) noteReservation(held)
}
