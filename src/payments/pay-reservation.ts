import { randomUUIDv7 } from 'node:crypto'
import { limits } from '../limits.ts'
import { again, batch } from '../platform/batch.ts'
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
      code:
        | 'reservation-not-found'
        | 'queue-token-wrong-concert'
        | 'already-paid'
        | 'unauthenticated'
        | 'idempotency-key-reused'
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
    case 'unauthenticated':
    case 'idempotency-key-reused':
      throw problem(outcome.code)
  }
}

/**
 * Pays a held reservation from its fan's balance: reservation, seats, balance, ledger and event in one statement for
 * many requests. It locks reservations, then seats, then balances, each in order of keys, and reads the clock after
 * the last lock: what is past its deadline by then is not payable. `around` puts what belongs to the same batch before
 * and behind the statement.
 */
export function payReservation<Extra = never>(
  database: Database,
  onRun?: (size: number) => void,
  around?: (
    settle: SettlePayments,
  ) => (requests: PayRequest[]) => Promise<(PayOutcome | Extra | typeof again)[]>,
): (request: PayRequest) => Promise<PayOutcome | Extra> {
  const settle: SettlePayments = (requests) => runPayments(database, requests)
  return batch({
    run: around ? around(settle) : settle,
    lane: (request) => request.userId,
    max: limits.batch,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
    ...(onRun ? { onRun } : {}),
  })
}

/** Settles many requests at once. */
export type SettlePayments = (requests: PayRequest[]) => Promise<PayOutcome[]>

async function runPayments(database: Database, requests: PayRequest[]): Promise<PayOutcome[]> {
  const rows = await database.query<{ outcome: PayOutcome; is_replay: boolean }>(sql`
    with request as (
      select * from unnest(
        ${requests.map(() => randomUUIDv7())}::uuid[],
        ${requests.map((request) => request.reservationId)}::uuid[],
        ${requests.map((request) => request.userId)}::uuid[],
        ${requests.map((request) => request.concertId)}::int[],
        ${requests.map((request) => request.queueNumber)}::bigint[],
        ${requests.map((request) => request.idempotency?.key ?? null)}::text[],
        ${requests.map((request) => request.idempotency?.fingerprint ?? null)}::text[]
      ) with ordinality as r(payment_id, reservation_id, user_id, concert_id, queue_number, key, fingerprint, ord)
    ), reservation as materialized (
      select r.ord, v.id, v.user_id, v.concert_id, v.show_id, v.seat_numbers, v.seat_prices, v.total, v.state, v.held_until
        from request r
        join reservations v on v.id = r.reservation_id
       order by v.id
         for update of v
    ), locked_seat as materialized (
      select v.ord, s.reservation_id = v.id as is_own
        from (select ord, id, show_id, unnest(seat_numbers) as number from reservation where state = 'held') v
        join seats s on s.show_id = v.show_id and s.number = v.number
       order by s.show_id, s.number
         for update of s
    ), locked_balance as materialized (
      select r.ord, b.amount
        from request r
        join balances b on b.user_id = r.user_id
       where (select count(*) from locked_seat) >= 0
       order by b.user_id
         for update of b
    ), moment as materialized (
      -- After the last lock: a deadline that passes while waiting for it has passed.
      select clock_timestamp() as at, count(*) from locked_balance
    ), verdict as materialized (
      select r.ord, r.payment_id, r.reservation_id, r.user_id, r.queue_number, r.key, r.fingerprint,
             v.concert_id, v.show_id, v.seat_numbers, v.seat_prices, v.total, v.state, v.held_until,
             b.amount as balance, b.amount - v.total as balance_after, m.at,
             case
               when k.key is not null then
                 case when k.fingerprint = r.fingerprint then 'remembered' else 'idempotency-key-reused' end
               when v.ord is null or v.user_id <> r.user_id then 'reservation-not-found'
               when v.concert_id <> r.concert_id then 'queue-token-wrong-concert'
               when v.state = 'paid' then 'already-paid'
               when v.state = 'cancelled' then 'not-held'
               -- A clock that was set back (a failover to a slower one) must not bring back what others have by now.
               when v.state = 'expired' or v.held_until <= m.at
                 or r.ord = any(array(select ord from locked_seat where is_own is not true)) then 'hold-expired'
               when b.ord is null then 'unauthenticated'
               when b.amount < v.total then 'insufficient-balance'
               else 'paid'
             end as code,
             k.outcome as remembered
        from request r
       cross join moment m
        left join reservation v on v.ord = r.ord
        left join locked_balance b on b.ord = r.ord
        left join idempotency_keys k on k.user_id = r.user_id and k.key = r.key
    ), outcome as materialized (
      select ord, user_id, key, fingerprint, code,
             case code
               when 'remembered' then remembered
               when 'paid' then json_build_object('code', code, 'answer', json_build_object(
                 'paymentId', payment_id, 'reservationId', reservation_id, 'showId', show_id,
                 'seats', (
                   -- As they are kept: in order.
                   select json_agg(json_build_object('number', n, 'price', c))
                     from unnest(seat_numbers, seat_prices) as u(n, c)
                 ),
                 'amount', total, 'balance', balance_after, 'paidAt', at
               ))
               when 'not-held' then json_build_object('code', code, 'state', state)
               when 'hold-expired' then json_build_object('code', code, 'heldUntil', held_until)
               when 'insufficient-balance'
                 then json_build_object('code', code, 'balance', balance, 'required', total)
               else json_build_object('code', code)
             end as outcome
        from verdict
    ), closed as (
      update reservations v set state = 'paid', closed_at = p.at
        from verdict p
       where p.code = 'paid' and v.id = p.reservation_id
    ), sold as (
      update seats s set sold_at = p.at, held_until = null
        from (
          select show_id, unnest(seat_numbers) as number, reservation_id, at from verdict where code = 'paid'
        ) p
       where s.show_id = p.show_id and s.number = p.number and s.reservation_id = p.reservation_id
    ), debited as (
      update balances b set amount = p.balance_after
        from verdict p
       where p.code = 'paid' and b.user_id = p.user_id
    ), receipt as (
      insert into payments (
        id, reservation_id, user_id, concert_id, show_id, seat_numbers, seat_prices, amount, balance, paid_at
      )
      select payment_id, reservation_id, user_id, concert_id, show_id, seat_numbers, seat_prices, total,
             balance_after, at
        from verdict
       where code = 'paid'
    ), entry as (
      insert into balance_entries (user_id, kind, amount, balance, reference, created_at)
      select user_id, 'payment', -total, balance_after, payment_id, at from verdict where code = 'paid'
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.payments', reservation_id::text, 'payment.completed',
             json_build_object(
               'paymentId', payment_id, 'reservationId', reservation_id, 'userId', user_id,
               'concertId', concert_id, 'showId', show_id, 'seats', seat_numbers,
               'amount', total, 'queueNumber', queue_number
             ),
             at
        from verdict
       where code = 'paid'
    ), kept as (
      insert into idempotency_keys (user_id, key, fingerprint, outcome)
      select user_id, key, fingerprint, outcome
        from outcome
       -- A wrong token is refused for the token sent with the request, not for the request.
       where key is not null
         and code not in (
           'remembered', 'idempotency-key-reused', 'queue-token-wrong-concert', 'unauthenticated'
         )
       order by user_id, key
    )
    select outcome, code = 'remembered' as is_replay from outcome order by ord`)
  return rows.map(({ outcome, is_replay: isReplay }) =>
    outcome.code === 'paid' ? { ...outcome, isReplay } : outcome,
  )
}
