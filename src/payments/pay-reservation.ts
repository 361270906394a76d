import { randomUUIDv7 } from 'node:crypto'
import { limits } from '../limits.ts'
import { batch } from '../platform/batch.ts'
import type { IdempotencyKey } from '../platform/http/idempotency-key.ts'
import { isRetryable, isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { problem } from '../problems.ts'
import type { ReservationState } from '../reservations/reservation.ts'
import type { Payment } from './payment.ts'

export type PayRequest = {
  userId: string
  /** The concert that the fan's session is for. */
  concertId: number
  /** The fan's place there, so that whoever hears of the payment can end the session. */
  queueNumber: number
  reservationId: string
  idempotency: IdempotencyKey | undefined
}

/** What the statement decided, as it is kept for a repeat of the request. */
export type PayOutcome =
  | { code: 'paid'; answer: Omit<Payment, 'paidAt'> & { paidAt: string }; isReplay?: boolean }
  | {
      code: 'reservation-not-found' | 'queue-token-wrong-concert' | 'already-paid' | 'idempotency-key-reused'
    }
  | { code: 'not-held'; state: ReservationState }
  | { code: 'hold-expired'; heldUntil: string }
  | { code: 'insufficient-balance'; balance: number; required: number }

/** Gives the answer of an outcome, or throws its refusal. */
export function answerPay(outcome: PayOutcome): Payment {
  switch (outcome.code) {
    case 'paid':
      return { ...outcome.answer, paidAt: new Date(outcome.answer.paidAt) }
    case 'not-held':
      throw problem(outcome.code, { state: outcome.state })
    case 'hold-expired':
      throw problem(outcome.code, { heldUntil: new Date(outcome.heldUntil) })
    case 'insufficient-balance':
      throw problem(outcome.code, { balance: outcome.balance, required: outcome.required })
    case 'reservation-not-found':
    case 'queue-token-wrong-concert':
    case 'already-paid':
    case 'idempotency-key-reused':
      throw problem(outcome.code)
  }
}

/**
 * Pays a held reservation from its fan's balance: reservation, seats, balance, ledger and event in one statement for
 * many requests. It locks reservations, then seats, then balances, each in order of keys, and reads the clock after
 * the last lock: what is past its deadline by then is not payable.
 */
export function payReservation(
  database: Database,
  onRun?: (size: number) => void,
): (request: PayRequest) => Promise<PayOutcome> {
  return batch({
    run: (requests: PayRequest[]) => runPayments(database, requests),
    lane: (request) => request.userId,
    max: limits.batch,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
    ...(onRun ? { onRun } : {}),
  })
}

async function runPayments(database: Database, requests: PayRequest[]): Promise<PayOutcome[]> {
  const rows = await database.query<{ outcome: PayOutcome; is_replay: boolean }>(sql`
    with request as materialized (
      select * from unnest(
        ${requests.map(() => randomUUIDv7())}::uuid[],
        ${requests.map((request) => request.reservationId)}::uuid[],
        ${requests.map((request) => request.userId)}::uuid[],
        ${requests.map((request) => request.concertId)}::int[],
        ${requests.map((request) => request.queueNumber)}::bigint[],
        ${requests.map((request) => request.idempotency?.key ?? null)}::text[],
        ${requests.map((request) => request.idempotency?.fingerprint ?? null)}::text[]
      ) with ordinality as r(payment_id, reservation_id, user_id, concert_id, queue_number, key, fingerprint, ord)
    ), remembered as materialized (
      select r.ord,
             case when k.fingerprint = r.fingerprint then k.outcome
                  else '{"code": "idempotency-key-reused"}'::json end as outcome
        from request r
        join idempotency_keys k on k.user_id = r.user_id and k.key = r.key
    ), fresh as materialized (
      select * from request r where not exists (select from remembered m where m.ord = r.ord)
    ), reservation as materialized (
      select v.id, v.user_id, v.concert_id, v.show_id, v.seat_numbers, v.seat_prices, v.total, v.state, v.held_until
        from reservations v
       where v.id in (select reservation_id from fresh)
       order by v.id
         for update
    ), locked_seat as materialized (
      select s.show_id, s.number, s.reservation_id
        from seats s
       where (s.show_id, s.number) in (
         select v.show_id, unnest(v.seat_numbers) from reservation v where v.state = 'held'
       )
       order by s.show_id, s.number
         for update
    ), locked_balance as materialized (
      select b.user_id, b.amount
        from balances b
       where b.user_id in (select user_id from fresh)
         and (select count(*) from locked_seat) >= 0
       order by b.user_id
         for update
    ), moment as materialized (
      select clock_timestamp() as at, count(*) from locked_balance
    ), verdict as materialized (
      select f.ord, f.payment_id, f.user_id, f.queue_number, f.key, f.fingerprint,
             v.id as reservation_id, v.concert_id, v.show_id, v.seat_numbers, v.seat_prices, v.total, v.state,
             v.held_until, b.amount as balance, m.at,
             case
               when v.id is null or v.user_id <> f.user_id then 'reservation-not-found'
               when v.concert_id <> f.concert_id then 'queue-token-wrong-concert'
               when v.state = 'paid' then 'already-paid'
               when v.state = 'cancelled' then 'not-held'
               when v.state = 'expired' or v.held_until <= m.at then 'hold-expired'
               when b.amount < v.total then 'insufficient-balance'
               else 'paid'
             end as code
        from fresh f
       cross join moment m
        left join reservation v on v.id = f.reservation_id
        left join locked_balance b on b.user_id = f.user_id
    ), paid as materialized (
      select *, balance - total as balance_after from verdict where code = 'paid'
    ), closed as (
      update reservations v set state = 'paid', closed_at = p.at
        from paid p
       where v.id = p.reservation_id
    ), sold as (
      update seats s set sold_at = p.at, held_until = null
        from paid p
       where s.show_id = p.show_id and s.number = any(p.seat_numbers) and s.reservation_id = p.reservation_id
    ), debited as (
      update balances b set amount = p.balance_after
        from paid p
       where b.user_id = p.user_id
    ), receipt as (
      insert into payments (
        id, reservation_id, user_id, concert_id, show_id, seat_numbers, seat_prices, amount, balance, paid_at
      )
      select payment_id, reservation_id, user_id, concert_id, show_id, seat_numbers, seat_prices, total,
             balance_after, at
        from paid
    ), entry as (
      insert into balance_entries (user_id, kind, amount, balance, reference, created_at)
      select user_id, 'payment', -total, balance_after, payment_id, at from paid order by ord
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.payments', reservation_id::text, 'payment.completed',
             jsonb_build_object(
               'paymentId', payment_id, 'reservationId', reservation_id, 'userId', user_id,
               'concertId', concert_id, 'showId', show_id, 'seats', to_jsonb(seat_numbers),
               'amount', total, 'queueNumber', queue_number
             ),
             at
        from paid
       order by ord
    ), outcome as materialized (
      select ord, user_id, key, fingerprint,
             case code
               when 'paid' then json_build_object('code', code, 'answer', json_build_object(
                 'paymentId', payment_id, 'reservationId', reservation_id, 'showId', show_id,
                 'seats', (
                   select json_agg(json_build_object('number', n, 'price', c) order by n)
                     from unnest(seat_numbers, seat_prices) as u(n, c)
                 ),
                 'amount', total, 'balance', balance - total, 'paidAt', at
               ))
               when 'not-held' then json_build_object('code', code, 'state', state)
               when 'hold-expired' then json_build_object('code', code, 'heldUntil', held_until)
               when 'insufficient-balance'
                 then json_build_object('code', code, 'balance', balance, 'required', total)
               else json_build_object('code', code)
             end as outcome
        from verdict
    ), kept as (
      insert into idempotency_keys (user_id, key, fingerprint, outcome)
      select o.user_id, o.key, o.fingerprint, o.outcome
        from outcome o
        join verdict v using (ord)
       -- That refusal is about the token sent with the request, not about the request.
       where o.key is not null and v.code <> 'queue-token-wrong-concert'
       order by o.user_id, o.key
    )
    select coalesce(m.outcome, o.outcome) as outcome, m.ord is not null as is_replay
      from request r
      left join remembered m using (ord)
      left join outcome o using (ord)
     order by r.ord`)
  return rows.map(({ outcome, is_replay: isReplay }) =>
    outcome.code === 'paid' ? { ...outcome, isReplay } : outcome,
  )
}
