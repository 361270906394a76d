import { createHash } from 'node:crypto'
import { limits } from '../limits.ts'
import { batch } from '../platform/batch.ts'
import { isRetryable, isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { problem } from '../problems.ts'
import type { SeatState } from './concert.ts'

export type Show = {
  showId: number
  startsAt: Date
  seatsTotal: number
  seatsLeft: number
  priceFrom: number
  priceTo: number
}

export type SeatMap = {
  /** The answer as text, made once for everyone who asked meanwhile. */
  json: string
  etag: string
}

/** Shows whose concert one instance remembers. It never changes. */
const rememberedShows = 100_000

/** Reads many, each at most once: requests that arrive while a query runs share the next one. */
function shared<Key, Value>(read: (keys: Key[]) => Promise<Map<Key, Value>>) {
  return batch({
    run: async (keys: Key[]) => {
      const found = await read([...new Set(keys)])
      return keys.map((key) => found.get(key))
    },
    max: limits.batch * 16,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
  })
}

/** The dates of a concert with what is left of each. */
export function readShows(database: Database): (concertId: number) => Promise<Show[]> {
  const read = shared(async (concertIds: number[]) => {
    const rows = await database.query<{
      concert_id: number
      id: number
      starts_at: Date
      seats_total: number
      seats_left: number
      price_from: number
      price_to: number
    }>(sql`
      select w.concert_id, w.id, w.starts_at, w.seats_total, w.price_from, w.price_to,
             (
               select count(*) from seats s
                where s.show_id = w.id and s.sold_at is null
                  and (s.held_until is null or s.held_until <= clock_timestamp())
             ) as seats_left
        from shows w
       where w.concert_id = any(${concertIds}::int[])
       order by w.starts_at, w.id`)
    const shows = new Map<number, Show[]>(concertIds.map((concertId) => [concertId, []]))
    for (const row of rows) {
      shows.get(row.concert_id)?.push({
        showId: row.id,
        startsAt: row.starts_at,
        seatsTotal: row.seats_total,
        seatsLeft: row.seats_left,
        priceFrom: row.price_from,
        priceTo: row.price_to,
      })
    }
    return shows
  })
  return async (concertId) => (await read(concertId)) ?? []
}

/** The concert of a show; `show-not-found` when there is none. */
export function concertOfShow(database: Database): (showId: number) => Promise<number> {
  const remembered = new Map<number, number>()
  const read = shared(async (showIds: number[]) => {
    const rows = await database.query<{ id: number; concert_id: number }>(sql`
      select id, concert_id from shows where id = any(${showIds}::int[])`)
    return new Map(rows.map((row) => [row.id, row.concert_id]))
  })
  return async (showId) => {
    const known = remembered.get(showId)
    if (known !== undefined) return known
    const concertId = showId > limits.id ? undefined : await read(showId)
    if (concertId === undefined) throw problem('show-not-found')
    if (remembered.size >= rememberedShows) remembered.clear()
    remembered.set(showId, concertId)
    return concertId
  }
}

/** The seat map of a show, as it is now. */
export function readSeats(database: Database): (showId: number) => Promise<SeatMap> {
  const read = shared(async (showIds: number[]) => {
    const rows = await database.query<{
      show_id: number
      numbers: number[]
      prices: number[]
      states: SeatState[]
    }>(sql`
      select show_id,
             array_agg(number order by number) as numbers,
             array_agg(price order by number) as prices,
             array_agg(
               case when sold_at is not null then 'sold'
                    when held_until > clock_timestamp() then 'held'
                    else 'available' end
               order by number
             ) as states
        from seats
       where show_id = any(${showIds}::int[])
       group by show_id`)
    return new Map(
      rows.map(({ show_id: showId, numbers, prices, states }) => {
        const seats = numbers.map((number, index) => ({ number, price: prices[index], state: states[index] }))
        const json = JSON.stringify({ showId, seats })
        const etag = `"${createHash('sha256').update(json).digest('base64url').slice(0, 22)}"`
        return [showId, { json, etag }]
      }),
    )
  })
  return async (showId) => {
    const seatMap = await read(showId)
    if (!seatMap) throw problem('show-not-found')
    return seatMap
  }
}
