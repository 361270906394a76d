/** What is on sale, and the rules that need no store. */

export type ConcertStatus = 'upcoming' | 'on-sale' | 'sold-out' | 'closed'

export type Sale = { saleOpensAt: Date; saleClosesAt: Date; soldOut: boolean }

/** Where a sale stands at `now`. */
export function concertStatus({ saleOpensAt, saleClosesAt, soldOut }: Sale, now: Date): ConcertStatus {
  if (now < saleOpensAt) return 'upcoming'
  if (now >= saleClosesAt) return 'closed'
  return soldOut ? 'sold-out' : 'on-sale'
}

export type SeatState = 'available' | 'held' | 'sold'

/** What an instance needs to know of a concert to run its line. */
export type ConcertFacts = Sale & {
  concertId: number
  capacity: number
  ratePerSecond: number
  paused: boolean
}
