import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { page } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import { concertStatus, type ConcertStatus } from './concert.ts'
import { countSeatsLeft } from './read-facts.ts'

export type Concert = {
  concertId: number
  title: string
  artist: string
  venue: string
  status: ConcertStatus
  saleOpensAt: Date
  saleClosesAt: Date
  priceFrom: number
  priceTo: number
  seatsLeft: number
}

export type ConcertFilter = {
  /** Concerts with a show at or after this. */
  from?: Date | undefined
  /** Concerts with a show before this. */
  to?: Date | undefined
  /** Part of a title, an artist or a venue. */
  q?: string | undefined
}

type ConcertRow = {
  id: number
  title: string
  artist: string
  venue: string
  sale_opens_at: Date
  sale_closes_at: Date
  sold_out: boolean
  price_from: number
  price_to: number
  now: Date
}

function toConcert(row: ConcertRow, seatsLeft: number): Concert {
  const sale = { saleOpensAt: row.sale_opens_at, saleClosesAt: row.sale_closes_at, soldOut: row.sold_out }
  return {
    concertId: row.id,
    title: row.title,
    artist: row.artist,
    venue: row.venue,
    status: concertStatus(sale, row.now),
    saleOpensAt: row.sale_opens_at,
    saleClosesAt: row.sale_closes_at,
    priceFrom: row.price_from,
    priceTo: row.price_to,
    seatsLeft,
  }
}

/** A page of concerts in the order in which their sales open, those that open last first. */
export async function listConcerts(
  database: Database,
  { from, to, q }: ConcertFilter,
  after: [opensAt: Date, concertId: number] | undefined,
  limit: number,
) {
  const pattern = q === undefined ? null : `%${q.replaceAll(/[\\%_]/g, '\\$&')}%`
  const rows = await database.query<ConcertRow>(sql`
    select c.id, c.title, c.artist, c.venue, c.sale_opens_at, c.sale_closes_at, now() as now,
           c.sold_out_at is not null or not exists (
             select from shows w
              where w.concert_id = c.id
                -- The offset keeps this a look into each show's unsold seats that ends at the first.
                and exists (select from seats s where s.show_id = w.id and s.sold_at is null offset 0)
           ) as sold_out, w.price_from, w.price_to
      from concerts c
      join lateral (
        select min(price_from) as price_from, max(price_to) as price_to from shows where concert_id = c.id
      ) w on w.price_from is not null
     where (${pattern}::text is null or c.title ilike ${pattern} or c.artist ilike ${pattern} or c.venue ilike ${pattern})
       and (
         (${from ?? null}::timestamptz is null and ${to ?? null}::timestamptz is null)
         or exists (
           select from shows s
            where s.concert_id = c.id
              and s.starts_at >= coalesce(${from ?? null}::timestamptz, '-infinity')
              and s.starts_at < coalesce(${to ?? null}::timestamptz, 'infinity')
         )
       )
       and (
         ${after === undefined}::boolean
         or (c.sale_opens_at, c.id) < (${after?.[0] ?? null}::timestamptz, ${after?.[1] ?? null}::bigint)
       )
     order by c.sale_opens_at desc, c.id desc
     limit ${limit + 1}`)
  const { shown, nextCursor } = page(rows, limit, (row) => [row.sale_opens_at.getTime(), row.id])
  const left = await countSeatsLeft(
    database,
    shown.map((row) => row.id),
  )
  return { concerts: shown.map((row) => toConcert(row, left.get(row.id) ?? 0)), nextCursor }
}

/** One concert with the dates of its shows; `concert-not-found` otherwise. */
export async function readConcert(database: Database, concertId: number) {
  const [row] = await database.query<ConcertRow & { shows: { showId: number; startsAt: string }[] }>(sql`
    select c.id, c.title, c.artist, c.venue, c.sale_opens_at, c.sale_closes_at, now() as now,
           c.sold_out_at is not null or not exists (
             select from shows w
              where w.concert_id = c.id
                -- The offset keeps this a look into each show's unsold seats that ends at the first.
                and exists (select from seats s where s.show_id = w.id and s.sold_at is null offset 0)
           ) as sold_out, w.price_from, w.price_to, w.shows
      from concerts c
      join lateral (
        select min(price_from) as price_from, max(price_to) as price_to,
               json_agg(json_build_object('showId', id, 'startsAt', starts_at) order by starts_at, id) as shows
          from shows where concert_id = c.id
      ) w on w.price_from is not null
     where c.id = ${concertId}`)
  if (!row) throw problem('concert-not-found')
  const left = await countSeatsLeft(database, [concertId])
  const shows = row.shows.map(({ showId, startsAt }) => ({ showId, startsAt: new Date(startsAt) }))
  return { ...toConcert(row, left.get(concertId) ?? 0), shows }
}
