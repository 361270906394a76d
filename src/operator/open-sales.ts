import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'

/** Announces sales that have opened. They are open by the clock without it. */
export async function announceOpenSales(database: Database): Promise<void> {
  await database.query(sql`
    with opened as (
      update concerts set opened_at = sale_opens_at
       where opened_at is null and sale_opens_at <= now()
      returning id, opened_at
    )
    insert into outbox (topic, key, type, data, occurred_at)
    select 'frontrow.concerts', id::text, 'concert.opened', json_build_object('concertId', id), opened_at from opened`)
}
