import { randomUUIDv7 } from 'node:crypto'
import { limits } from '../limits.ts'
import { batch } from '../platform/batch.ts'
import type { IdempotencyKey } from '../platform/http/idempotency-key.ts'
import { isRetryable, isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { problem } from '../problems.ts'

export type ChargeRequest = { userId: string; amount: number; idempotency: IdempotencyKey | undefined }

export type Charge = { chargeId: string; amount: number; balance: number }

export type ChargeOutcome =
  | { code: 'charged'; answer: Charge }
  | { code: 'invalid-amount'; limit: number }
  | { code: 'unauthenticated' | 'idempotency-key-reused' }

/** Gives the answer of an outcome, or throws its refusal. */
export function answerCharge(outcome: ChargeOutcome): Charge {
  switch (outcome.code) {
    case 'charged':
      return outcome.answer
    case 'invalid-amount':
      throw problem(outcome.code, { limit: outcome.limit, detail: 'The balance would become too large.' })
    case 'unauthenticated':
    case 'idempotency-key-reused':
      throw problem(outcome.code)
  }
}

/** Adds to a balance and writes the ledger's line and the event; many requests are one statement. */
export function chargeBalance(
  database: Database,
  onRun?: (size: number) => void,
): (request: ChargeRequest) => Promise<ChargeOutcome> {
  return batch({
    run: (requests: ChargeRequest[]) => runCharges(database, requests),
    lane: (request) => request.userId,
    max: limits.batch,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
    ...(onRun ? { onRun } : {}),
  })
}

async function runCharges(database: Database, requests: ChargeRequest[]): Promise<ChargeOutcome[]> {
  const rows = await database.query<{ outcome: ChargeOutcome }>(sql`
    with request as (
      select * from unnest(
        ${requests.map(() => randomUUIDv7())}::uuid[],
        ${requests.map((request) => request.userId)}::uuid[],
        ${requests.map((request) => request.amount)}::bigint[],
        ${requests.map((request) => request.idempotency?.key ?? null)}::text[],
        ${requests.map((request) => request.idempotency?.fingerprint ?? null)}::text[]
      ) with ordinality as r(charge_id, user_id, amount, key, fingerprint, ord)
    ), locked as materialized (
      select r.ord, b.amount
        from request r
        join balances b on b.user_id = r.user_id
       order by b.user_id
         for update of b
    ), moment as materialized (
      select clock_timestamp() as at, count(*) from locked
    ), verdict as materialized (
      select r.*, l.amount as before, l.amount + r.amount as after, m.at,
             case
               when k.key is not null then
                 case when k.fingerprint = r.fingerprint then 'remembered' else 'idempotency-key-reused' end
               when l.ord is null then 'unauthenticated'
               when l.amount > ${limits.balance}::bigint - r.amount then 'invalid-amount'
               else 'charged'
             end as code,
             k.outcome as remembered
        from request r
       cross join moment m
        left join locked l on l.ord = r.ord
        left join idempotency_keys k on k.user_id = r.user_id and k.key = r.key
    ), outcome as materialized (
      select ord, user_id, key, fingerprint, code,
             case code
               when 'remembered' then remembered
               when 'charged' then json_build_object('code', code, 'answer', json_build_object(
                 'chargeId', charge_id, 'amount', amount, 'balance', after
               ))
               when 'invalid-amount'
                 then json_build_object('code', code, 'limit', ${limits.balance}::bigint - before)
               else json_build_object('code', code)
             end as outcome
        from verdict
    ), credited as (
      update balances b set amount = c.after
        from verdict c
       where c.code = 'charged' and b.user_id = c.user_id
    ), entry as (
      insert into balance_entries (user_id, kind, amount, balance, reference, created_at)
      select user_id, 'charge', amount, after, charge_id, at from verdict where code = 'charged'
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.balances', user_id::text, 'balance.charged',
             json_build_object('chargeId', charge_id, 'userId', user_id, 'amount', amount, 'balance', after),
             at
        from verdict
       where code = 'charged'
    ), kept as (
      insert into idempotency_keys (user_id, key, fingerprint, outcome)
      select user_id, key, fingerprint, outcome
        from outcome
       where key is not null and code in ('charged', 'invalid-amount')
       order by user_id, key
    )
    select outcome from outcome order by ord`)
  return rows.map((row) => row.outcome)
}
