/** One fan's seats in one show, and the rules that need no store. */

export type ReservationState = 'held' | 'paid' | 'expired' | 'cancelled'

export type Seat = { number: number; price: number }

export type Reservation = {
  reservationId: string
  concertId: number
  showId: number
  seats: Seat[]
  total: number
  state: ReservationState
  heldUntil: Date
}

/** The seats of a row: numbers and prices are kept side by side. */
export function seatsOf(numbers: number[], prices: number[]): Seat[] {
  return numbers.map((number, index) => ({ number, price: prices[index] as number }))
}
