import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { page } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'

export type Entry = {
  entryId: number
  kind: 'charge' | 'payment' | 'refund'
  /** Won: positive into the balance, negative out of it. */
  amount: number
  /** Won after it. */
  balance: number
  /** The charge, payment or refund that it stands for. */
  reference: string
  createdAt: Date
}

/** Won that the fan has. A verified token of a user this database does not know is `unauthenticated`. */
export async function readBalance(database: Database, userId: string): Promise<number> {
  const [row] = await database.query<{ amount: number }>(sql`
    select amount from balances where user_id = ${userId}`)
  if (!row) throw problem('unauthenticated')
  return row.amount
}

/** A page of the ledger of a fan, newest first. */
export async function listEntries(
  database: Database,
  userId: string,
  before: number | undefined,
  limit: number,
) {
  const rows = await database.query<{
    id: number
    kind: Entry['kind']
    amount: number
    balance: number
    reference: string
    created_at: Date
  }>(sql`
    select id, kind, amount, balance, reference, created_at
      from balance_entries
     where user_id = ${userId} and (${before ?? null}::bigint is null or id < ${before ?? null}::bigint)
     order by id desc
     limit ${limit + 1}`)
  const { shown, nextCursor } = page(rows, limit, (row) => [row.id])
  const entries = shown.map(({ id, kind, amount, balance, reference, created_at: createdAt }): Entry => ({
    entryId: id,
    kind,
    amount,
    balance,
    reference,
    createdAt,
  }))
  return { entries, nextCursor }
}
