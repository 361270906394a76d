import type { Seat } from '../reservations/reservation.ts'

/** Balance to seats, once. */
export type Payment = {
  paymentId: string
  reservationId: string
  showId: number
  seats: Seat[]
  /** Won taken. */
  amount: number
  /** Won left after it. */
  balance: number
  paidAt: Date
}
