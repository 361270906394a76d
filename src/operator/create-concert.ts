import { planFreely, type Database, type Tx } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'

export type NewConcert = {
  title: string
  artist: string
  venue: string
  saleOpensAt: Date
  saleClosesAt: Date
  queue: { capacity: number | undefined; ratePerSecond: number | undefined }
  shows: { startsAt: Date; seats: { from: number; to: number; price: number }[] }[]
}

/** Making a stadium's seats takes longer than any statement of a sale. */
const longestMs = 300_000

/** Puts a concert up for sale: the concert, its shows, their seats and its line, together or not at all. */
export function createConcert(database: Database, concert: NewConcert): Promise<number> {
  return database.transaction((tx) => addConcert(tx, concert))
}

export async function addConcert(tx: Tx, concert: NewConcert): Promise<number> {
  await tx.query(sql`select set_config('statement_timeout', ${`${longestMs}`}, true)`)
  await planFreely(tx)
  const [created] = await tx.query<{ id: number }>(sql`
    insert into concerts (
      title, artist, venue, sale_opens_at, sale_closes_at, queue_capacity, queue_rate_per_second
    ) values (
      ${concert.title}, ${concert.artist}, ${concert.venue}, ${concert.saleOpensAt}, ${concert.saleClosesAt},
      ${concert.queue.capacity ?? null}, ${concert.queue.ratePerSecond ?? null}
    )
    returning id`)
  if (!created) throw new Error('a concert was not made')
  const concertId = created.id

  const ranges = concert.shows.flatMap(({ seats }, index) =>
    seats.map((range) => ({ show: index + 1, ...range })),
  )
  await tx.query(sql`
    with wish as (
      select * from unnest(${concert.shows.map((show) => show.startsAt)}::timestamptz[])
        with ordinality as w(starts_at, ord)
    ), range as materialized (
      select * from unnest(
        ${ranges.map((range) => range.show)}::int[],
        ${ranges.map((range) => range.from)}::int[],
        ${ranges.map((range) => range.to)}::int[],
        ${ranges.map((range) => range.price)}::int[]
      ) as r(ord, first, last, price)
    ), made as (
      insert into shows (concert_id, starts_at, seats_total, price_from, price_to)
      select ${concertId}, w.starts_at, sum(r.last - r.first + 1), min(r.price), max(r.price)
        from wish w join range r using (ord)
       group by w.ord, w.starts_at
       order by w.ord
      returning id
    ), numbered as (
      -- Ids are given in the order of the insert.
      select id, row_number() over (order by id) as ord from made
    )
    insert into seats (show_id, number, price)
    select n.id, number, r.price
      from numbered n
      join range r using (ord)
     cross join lateral generate_series(r.first, r.last) as number
     order by n.id, number`)
  await tx.query(sql`insert into queues (concert_id) values (${concertId})`)
  await tx.query(sql`
    insert into outbox (topic, key, type, data, occurred_at)
    values (
      'frontrow.concerts', ${`${concertId}`}, 'concert.created',
      json_build_object('concertId', ${concertId}::int), clock_timestamp()
    )`)
  return concertId
}
