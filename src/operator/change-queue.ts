import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { problem } from '../problems.ts'

export type QueueChange = {
  paused?: boolean | undefined
  capacity?: number | undefined
  ratePerSecond?: number | undefined
}

export type QueueSettings = {
  concertId: number
  paused: boolean
  /** Null: the service's default. */
  capacity: number | null
  ratePerSecond: number | null
}

/** Changes how a line lets fans in, while the sale runs; every instance follows within a second. */
export async function changeQueue(
  database: Database,
  concertId: number,
  change: QueueChange,
): Promise<QueueSettings> {
  const [changed] = await database.query<QueueSettings>(sql`
    update concerts
       set queue_paused = coalesce(${change.paused ?? null}::boolean, queue_paused),
           queue_capacity = coalesce(${change.capacity ?? null}::int, queue_capacity),
           queue_rate_per_second = coalesce(${change.ratePerSecond ?? null}::float8, queue_rate_per_second)
     where id = ${concertId}
    returning id as "concertId", queue_paused as paused, queue_capacity as capacity,
              queue_rate_per_second as "ratePerSecond"`)
  if (!changed) throw problem('concert-not-found')
  return changed
}
