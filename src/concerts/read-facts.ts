import { limits } from '../limits.ts'
import { batch } from '../platform/batch.ts'
import { isRetryable, isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { ConcertFacts } from './concert.ts'

export type QueueDefaults = { queueCapacity: number; queueRatePerSecond: number }

type FactsRow = {
  id: number
  sale_opens_at: Date
  sale_closes_at: Date
  capacity: number
  rate: number
  queue_paused: boolean
  sold_out: boolean
  now: Date
}

function toFacts(row: FactsRow): ConcertFacts & { now: Date } {
  return {
    concertId: row.id,
    saleOpensAt: row.sale_opens_at,
    saleClosesAt: row.sale_closes_at,
    capacity: row.capacity,
    ratePerSecond: row.rate,
    paused: row.queue_paused,
    soldOut: row.sold_out,
    now: row.now,
  }
}

/**
 * Reads a concert's facts as they are now, or undefined when there is no such concert. Calls that arrive together are
 * one query, which starts after each of them. A concert whose last seat was just sold is marked and announced here:
 * seats are never unsold, so that is for good.
 */
export function readFacts(database: Database, defaults: QueueDefaults) {
  return batch({
    run: async (concertIds: number[]) => {
      const rows = await database.query<FactsRow>(sql`
        with concert as (
          select c.*,
                 c.sold_out_at is null and not exists (
                   select from shows w
                    where w.concert_id = c.id
                      -- The offset keeps this a look into each show's unsold seats that ends at the first.
                      and exists (select from seats s where s.show_id = w.id and s.sold_at is null offset 0)
                 ) as just_sold_out
            from concerts c
           where c.id = any(${[...new Set(concertIds)].filter((id) => id > 0 && id <= limits.id)}::int[])
        ), marked as (
          update concerts c set sold_out_at = clock_timestamp()
            from concert n
           where c.id = n.id and n.just_sold_out and c.sold_out_at is null
          returning c.id, c.sold_out_at
        ), announced as (
          insert into outbox (topic, key, type, data, occurred_at)
          select 'frontrow.concerts', id::text, 'concert.sold-out', json_build_object('concertId', id), sold_out_at
            from marked
        )
        select id, sale_opens_at, sale_closes_at, queue_paused,
               coalesce(queue_capacity, ${defaults.queueCapacity}::int) as capacity,
               coalesce(queue_rate_per_second, ${defaults.queueRatePerSecond}::float8) as rate,
               sold_out_at is not null or just_sold_out as sold_out,
               clock_timestamp() as now
          from concert`)
      const facts = new Map(rows.map((row) => [row.id, toFacts(row)]))
      return concertIds.map((concertId) => facts.get(concertId))
    },
    max: limits.batch * 16,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
  })
}

/** Facts of every concert whose line may move: those on sale, and those whose last fans are still inside. */
export async function readRunningSales(database: Database, defaults: QueueDefaults): Promise<ConcertFacts[]> {
  const rows = await database.query<FactsRow>(sql`
    select id, sale_opens_at, sale_closes_at, queue_paused,
           coalesce(queue_capacity, ${defaults.queueCapacity}::int) as capacity,
           coalesce(queue_rate_per_second, ${defaults.queueRatePerSecond}::float8) as rate,
           -- Looked at and not only what is marked: the last payment must not let one in for nothing.
           sold_out_at is not null or sale_closes_at <= now() or not exists (
             select from shows w
              where w.concert_id = c.id
                and exists (select from seats s where s.show_id = w.id and s.sold_at is null offset 0)
           ) as sold_out,
           now() as now
      from concerts c
     where sale_opens_at <= now() and sale_closes_at > now() - interval '2 days'`)
  return rows.map(toFacts)
}

/** Free seats of these concerts: not sold and not held by the database's clock. */
export async function countSeatsLeft(database: Database, concertIds: number[]): Promise<Map<number, number>> {
  const rows = await database.query<{ concert_id: number; seats_left: number }>(sql`
    select w.concert_id, sum(left_of.seats)::int as seats_left
      from shows w
     cross join lateral (
       select count(*) as seats
         from seats s
        where s.show_id = w.id and s.sold_at is null
          and (s.held_until is null or s.held_until <= clock_timestamp())
     ) left_of
     where w.concert_id = any(${concertIds}::int[])
     group by w.concert_id`)
  const left = new Map(rows.map((row) => [row.concert_id, row.seats_left]))
  return new Map(concertIds.map((concertId) => [concertId, left.get(concertId) ?? 0]))
}
