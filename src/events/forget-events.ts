import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'

/** Forgets published events and consumers' marks past their time, some at once. True when there may be more. */
export async function forgetEvents(database: Database, hours: number, most: number): Promise<boolean> {
  const [row] = await database.query<{ events: number; marks: number }>(sql`
    with event as (
      delete from outbox
       where ctid = any(array(
         select ctid from outbox where published_at < now() - make_interval(hours => ${hours}) limit ${most}
       ))
      returning position
    ), mark as (
      delete from inbox
       where (consumer, event_id) in (
         select consumer, event_id from inbox
          where processed_at < now() - make_interval(hours => ${hours} + 1)
          limit ${most}
       )
      returning event_id
    )
    select (select count(*) from event)::int as events, (select count(*) from mark)::int as marks`)
  return row !== undefined && (row.events === most || row.marks === most)
}
