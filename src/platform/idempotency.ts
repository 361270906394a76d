import type { Database } from './postgres/database.ts'
import { sql } from './postgres/sql.ts'
import type { IdempotencyKey } from './http/idempotency-key.ts'

/**
 * The first answer to a keyed request, for calls that would be refused before their statement could find it;
 * undefined when there is none. Another request under the same key is `idempotency-key-reused`.
 */
export async function findFirstOutcome<Outcome extends { code: string }>(
  database: Database,
  userId: string,
  { key, fingerprint }: IdempotencyKey,
): Promise<Outcome | { code: 'idempotency-key-reused' } | undefined> {
  const [row] = await database.query<{ fingerprint: string; outcome: Outcome }>(sql`
    select fingerprint, outcome from idempotency_keys where user_id = ${userId} and key = ${key}`)
  if (!row) return undefined
  return row.fingerprint === fingerprint ? row.outcome : { code: 'idempotency-key-reused' }
}

/** Forgets keys past their time, some at once. True when there may be more. */
export async function forgetIdempotencyKeys(
  database: Database,
  hours: number,
  most: number,
): Promise<boolean> {
  const forgotten = await database.query<{ key: string }>(sql`
    delete from idempotency_keys
     where (user_id, key) in (
       select user_id, key from idempotency_keys
        where created_at < now() - make_interval(hours => ${hours})
        limit ${most}
     )
    returning key`)
  return forgotten.length === most
}
