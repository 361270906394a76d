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
    with request as materialized (
      select * from unnest(
        ${requests.map(() => randomUUIDv7())}::uuid[],
        ${requests.map((request) => request.userId)}::uuid[],
        ${requests.map((request) => request.amount)}::bigint[],
        ${requests.map((request) => request.idempotency?.key ?? null)}::text[],
        ${requests.map((request) => request.idempotency?.fingerprint ?? null)}::text[]
      ) with ordinality as r(charge_id, user_id, amount, key, fingerprint, ord)
    ), remembered as materialized (
      select r.ord,
             case when k.fingerprint = r.fingerprint then k.outcome
                  else '{"code": "idempotency-key-reused"}'::json end as outcome
        from request r
        join idempotency_keys k on k.user_id = r.user_id and k.key = r.key
    ), fresh as materialized (
      select * from request r where not exists (select from remembered m where m.ord = r.ord)
    ), locked as materialized (
      select b.user_id, b.amount
        from balances b
       where b.user_id in (select user_id from fresh)
       order by b.user_id
         for update
    ), moment as materialized (
      select clock_timestamp() as at, count(*) from locked
    ), charged as materialized (
      select f.*, b.amount + f.amount as balance, m.at
        from fresh f
        join locked b using (user_id)
       cross join moment m
       where b.amount <= ${limits.balance}::bigint - f.amount
    ), credited as (
      update balances b set amount = c.balance
        from charged c
       where b.user_id = c.user_id
    ), entry as (
      insert into balance_entries (user_id, kind, amount, balance, reference, created_at)
      select user_id, 'charge', amount, balance, charge_id, at from charged order by ord
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.balances', user_id::text, 'balance.charged',
             jsonb_build_object('chargeId', charge_id, 'userId', user_id, 'amount', amount, 'balance', balance),
             at
        from charged
       order by ord
    ), outcome as materialized (
      select f.ord, f.user_id, f.key, f.fingerprint,
             case
               when c.ord is not null then json_build_object('code', 'charged', 'answer', json_build_object(
                 'chargeId', c.charge_id, 'amount', c.amount, 'balance', c.balance
               ))
               when b.user_id is null then json_build_object('code', 'unauthenticated')
               else json_build_object('code', 'invalid-amount', 'limit', ${limits.balance}::bigint - b.amount)
             end as outcome
        from fresh f
        left join locked b using (user_id)
        left join charged c using (ord)
    ), kept as (
      insert into idempotency_keys (user_id, key, fingerprint, outcome)
      select user_id, key, fingerprint, outcome from outcome where key is not null order by user_id, key
    )
    select coalesce(m.outcome, o.outcome) as outcome
      from request r
      left join remembered m using (ord)
      left join outcome o using (ord)
     order by r.ord`)
  return rows.map((row) => row.outcome)
}
