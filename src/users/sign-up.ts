import { randomUUIDv7 } from 'node:crypto'
import { limits } from '../limits.ts'
import { batch } from '../platform/batch.ts'
import { isRetryable, isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'

/** Makes a user with an empty balance. Sign-ups that arrive together are one statement. */
export function signUp(database: Database): (name: string) => Promise<{ userId: string; name: string }> {
  return batch({
    run: async (names: string[]) => {
      const ids = names.map(() => randomUUIDv7())
      await database.query(sql`
        with added as (
          insert into users (id, name)
          select * from unnest(${ids}::uuid[], ${names}::text[])
          returning id
        )
        insert into balances (user_id) select id from added`)
      return names.map((name, index) => ({ userId: ids[index] as string, name }))
    },
    max: limits.batch,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
  })
}
