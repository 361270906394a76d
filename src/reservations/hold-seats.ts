import { randomUUIDv7 } from 'node:crypto'
import { limits } from '../limits.ts'
import { again, batch } from '../platform/batch.ts'
import type { IdempotencyKey } from '../platform/http/idempotency-key.ts'
import { isRetryable, isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { problem } from '../problems.ts'
import type { Seat } from './reservation.ts'

export type HoldRequest = {
  userId: string
  concertId: number
  /** The fan's place in the line, so that whoever hears of the hold can let the session run. */
  queueNumber: number
  showId: number
  /** Distinct, in ascending order. */
  seats: number[]
  idempotency: IdempotencyKey | undefined
}

export type Held = {
  reservationId: string
  showId: number
  seats: Seat[]
  total: number
  state: 'held'
  heldUntil: Date
}

/** What the statement decided, as it is kept for a repeat of the request. */
export type HoldOutcome =
  | { code: 'held'; answer: Omit<Held, 'heldUntil'> & { heldUntil: string } }
  | { code: 'seat-not-found' | 'seat-taken'; seats: number[] }
  | { code: 'too-many-seats'; limit: number; have: number }
  | { code: 'idempotency-key-reused' }

export type HoldRules = { holdSeconds: number; seatsPerUserMax: number; onRun?: (size: number) => void }

/** Gives the answer of an outcome, or throws its refusal. */
export function answerHold(outcome: HoldOutcome): Held {
  switch (outcome.code) {
    case 'held':
      return { ...outcome.answer, heldUntil: new Date(outcome.answer.heldUntil) }
    case 'seat-not-found':
    case 'seat-taken':
      throw problem(outcome.code, { seats: outcome.seats.toSorted((a, b) => a - b) })
    case 'too-many-seats':
      throw problem(outcome.code, { limit: outcome.limit, have: outcome.have })
    case 'idempotency-key-reused':
      throw problem(outcome.code)
  }
}

/**
 * Holds seats for a fan until a deadline of the database's clock: all of them or none. Refusals are outcomes:
 * `seat-not-found`, `seat-taken` with the seats that were taken, `too-many-seats`.
 *
 * One statement settles many requests. It locks their seats in order of show and number, reads the clock when it has
 * them all, and lets each request through that is the first of its batch to want each of its seats; one that came
 * second is asked again in the next batch, when the first has been settled. The limit per fan and show is kept by the
 * unique ordinal of the fan's reservations: see the migration.
 *
 * `around` puts what belongs to the same batch before and behind the statement.
 */
export function holdSeats<Extra = never>(
  database: Database,
  rules: HoldRules,
  around?: (
    settle: SettleHolds,
  ) => (requests: HoldRequest[]) => Promise<(HoldOutcome | Extra | typeof again)[]>,
): (request: HoldRequest) => Promise<HoldOutcome | Extra> {
  const settle: SettleHolds = (requests) => runHolds(database, rules, requests)
  return batch({
    run: around ? around(settle) : settle,
    lane: (request) => request.userId,
    max: limits.batch,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
    ...(rules.onRun ? { onRun: rules.onRun } : {}),
  })
}

/** Settles many requests at once. */
export type SettleHolds = (requests: HoldRequest[]) => Promise<(HoldOutcome | typeof again)[]>

/** For each request, whether it is the first to want each of its seats. */
function leads(requests: HoldRequest[]): boolean[] {
  const wanted = new Set<string>()
  return requests.map(({ showId, seats }) => {
    const keys = seats.map((seat) => `${showId}:${seat}`)
    const isFirst = keys.every((key) => !wanted.has(key))
    for (const key of keys) wanted.add(key)
    return isFirst
  })
}

async function runHolds(
  database: Database,
  { holdSeconds, seatsPerUserMax }: HoldRules,
  requests: HoldRequest[],
): Promise<(HoldOutcome | typeof again)[]> {
  const wanted = requests.flatMap(({ showId, seats }, index) =>
    seats.map((number) => ({ ord: index + 1, showId, number })),
  )
  const rows = await database.query<{ outcome: HoldOutcome | null; found: number[] | null }>(sql`
    with request as (
      select * from unnest(
        ${requests.map(() => randomUUIDv7())}::uuid[],
        ${requests.map((request) => request.userId)}::uuid[],
        ${requests.map((request) => request.concertId)}::int[],
        ${requests.map((request) => request.showId)}::int[],
        ${requests.map((request) => request.queueNumber)}::bigint[],
        ${requests.map((request) => request.seats.length)}::int[],
        ${leads(requests)}::boolean[],
        ${requests.map((request) => request.idempotency?.key ?? null)}::text[],
        ${requests.map((request) => request.idempotency?.fingerprint ?? null)}::text[]
      ) with ordinality
        as r(reservation_id, user_id, concert_id, show_id, queue_number, size, is_first, key, fingerprint, ord)
    ), locked as materialized (
      select w.ord, s.number, s.price, s.held_until, s.sold_at
        from unnest(
          ${wanted.map((seat) => seat.ord)}::int[],
          ${wanted.map((seat) => seat.showId)}::int[],
          ${wanted.map((seat) => seat.number)}::int[]
        ) as w(ord, show_id, number)
        join seats s on s.show_id = w.show_id and s.number = w.number
       order by s.show_id, s.number
         for update of s
    ), moment as materialized (
      -- After the last lock: a deadline that passes while waiting for it has passed.
      select clock_timestamp() as at, count(*) from locked
    ), wish as materialized (
      -- Sorted once: an order by inside each aggregate sorts each group of each, 100 us a request.
      select ord, array_agg(number) as numbers, array_agg(price) as prices,
             json_agg(json_build_object('number', number, 'price', price)) as seats,
             sum(price)::bigint as total,
             array_agg(number) filter (where is_taken) as taken
        from (
          select l.ord, l.number, l.price, l.sold_at is not null or l.held_until > m.at as is_taken
            from locked l
           cross join moment m
           order by l.ord, l.number
        ) l
       group by ord
    ), past as materialized (
      select r.ord, p.ordinal, p.have, p.lapsed
        from request r
       cross join moment m
       cross join lateral (
         select coalesce(max(v.ordinal), 0) + 1 as ordinal,
                coalesce(sum(cardinality(v.seat_numbers)) filter (
                  where v.state = 'paid' or (v.state = 'held' and v.held_until > m.at)
                ), 0) as have,
                array_agg(v.id) filter (where v.state = 'held' and v.held_until <= m.at) as lapsed
           from reservations v
          where v.user_id = r.user_id and v.show_id = r.show_id
       ) p
    ), lapsed as materialized (
      -- A hold that this snapshot shows past its deadline may have been paid in time, by a payment whose commit the
      -- snapshot does not show. One that can be locked as it is was not; the others are looked at again.
      select v.id
        from (select unnest(lapsed) as id from past where lapsed is not null) l
        join reservations v on v.id = l.id
       where v.state = 'held'
         for share of v skip locked
    ), verdict as materialized (
      select r.*, w.numbers, w.prices, w.seats, w.total, w.taken, p.have, p.ordinal, m.at,
             -- Whole milliseconds, so that the deadline is the same in every answer.
             date_trunc('milliseconds', m.at) + make_interval(secs => ${holdSeconds}) as held_until,
             case
               when k.key is not null then
                 case when k.fingerprint = r.fingerprint then 'remembered' else 'idempotency-key-reused' end
               when w.ord is null or cardinality(w.numbers) < r.size then 'seat-not-found'
               when w.taken is not null then 'seat-taken'
               when p.have + r.size > ${seatsPerUserMax} then 'too-many-seats'
               when r.is_first and (p.lapsed is null or p.lapsed <@ array(select id from lapsed)) then 'held'
             end as code,
             k.outcome as remembered
        from request r
       cross join moment m
        join past p on p.ord = r.ord
        left join wish w on w.ord = r.ord
        left join idempotency_keys k on k.user_id = r.user_id and k.key = r.key
    ), outcome as materialized (
      select ord, user_id, key, fingerprint, numbers, code,
             case code
               when 'remembered' then remembered
               when 'held' then json_build_object('code', code, 'answer', json_build_object(
                 'reservationId', reservation_id, 'showId', show_id, 'seats', seats, 'total', total,
                 'state', 'held', 'heldUntil', held_until
               ))
               when 'seat-not-found' then json_build_object('code', code, 'seats', '[]'::json)
               when 'seat-taken' then json_build_object('code', code, 'seats', taken)
               when 'too-many-seats'
                 then json_build_object('code', code, 'limit', ${seatsPerUserMax}::int, 'have', have)
               when 'idempotency-key-reused' then json_build_object('code', code)
             end as outcome
        from verdict
    ), marked as (
      update seats s set reservation_id = h.reservation_id, held_until = h.held_until
        from (
          select show_id, unnest(numbers) as number, reservation_id, held_until from verdict where code = 'held'
        ) h
       where s.show_id = h.show_id and s.number = h.number
    ), reserved as (
      insert into reservations (
        id, user_id, concert_id, show_id, ordinal, seat_numbers, seat_prices, total, state, held_until, created_at
      )
      select reservation_id, user_id, concert_id, show_id, ordinal, numbers, prices, total, 'held', held_until, at
        from verdict
       where code = 'held'
       -- Two instances that give the same fan the same ordinal wait for each other here.
       order by user_id, show_id
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.reservations', reservation_id::text, 'reservation.held',
             json_build_object(
               'reservationId', reservation_id, 'userId', user_id, 'concertId', concert_id, 'showId', show_id,
               'seats', numbers, 'total', total, 'heldUntil', held_until, 'queueNumber', queue_number
             ),
             at
        from verdict
       where code = 'held'
    ), kept as (
      insert into idempotency_keys (user_id, key, fingerprint, outcome)
      select user_id, key, fingerprint, outcome
        from outcome
       where key is not null and code not in ('remembered', 'idempotency-key-reused')
       order by user_id, key
    )
    select outcome, numbers as found from outcome order by ord`)
  return rows.map(({ outcome, found }, index): HoldOutcome | typeof again => {
    if (outcome === null) return again
    if (outcome.code !== 'seat-not-found') return outcome
    // Which seats the show does not have never changes, so it is not kept with the refusal.
    const missing = requests[index]?.seats.filter((seat) => !found?.includes(seat)) ?? []
    return { code: outcome.code, seats: missing }
  })
}
