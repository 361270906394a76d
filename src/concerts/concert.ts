/** What is on sale, and the rules that need no store. */
import Type from 'typebox'
import { time, won } from '../platform/http/field.ts'

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

/** What is told of a concert. */
export const concertProperties = {
  concertId: Type.Integer(),
  title: Type.String(),
  artist: Type.String(),
  venue: Type.String(),
  status: Type.Enum(['upcoming', 'on-sale', 'sold-out', 'closed']),
  saleOpensAt: time(),
  saleClosesAt: time(),
  priceFrom: won({ description: 'The cheapest seat.' }),
  priceTo: won({ description: 'The dearest seat.' }),
  seatsLeft: Type.Integer({ description: 'Seats neither held nor sold.' }),
}

/** A concert with the dates of its shows. */
export const concertWithShows = Type.Object(
  {
    ...concertProperties,
    shows: Type.Array(
      Type.Object({ showId: Type.Integer(), startsAt: time() }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
)
