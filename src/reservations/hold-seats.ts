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
 * them all, and lets each request through that is the first of its batch to want each of its seats. One that wanted
 * a seat which another of its batch did not get in the end is asked again in the next batch. The limit per fan and
 * show is kept by the unique ordinal of the fan's reservations: see the migration.
 */
export function holdSeats(
  database: Database,
  rules: HoldRules,
): (request: HoldRequest) => Promise<HoldOutcome> {
  return batch({
    run: (requests: HoldRequest[]) => runHolds(database, rules, requests),
    lane: (request) => request.userId,
    max: limits.batch,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
    ...(rules.onRun ? { onRun: rules.onRun } : {}),
  })
}

async function runHolds(
  database: Database,
  { holdSeconds, seatsPerUserMax }: HoldRules,
  requests: HoldRequest[],
): Promise<(HoldOutcome | typeof again)[]> {
  const wantedOrds: number[] = []
  const wantedNumbers: number[] = []
  requests.forEach(({ seats }, index) => {
    for (const seat of seats) {
      wantedOrds.push(index + 1)
      wantedNumbers.push(seat)
    }
  })
  const rows = await database.query<{ outcome: HoldOutcome | null }>(sql`
    with request as materialized (
      select * from unnest(
        ${requests.map(() => randomUUIDv7())}::uuid[],
        ${requests.map((request) => request.userId)}::uuid[],
        ${requests.map((request) => request.concertId)}::int[],
        ${requests.map((request) => request.showId)}::int[],
        ${requests.map((request) => request.queueNumber)}::bigint[],
        ${requests.map((request) => request.idempotency?.key ?? null)}::text[],
        ${requests.map((request) => request.idempotency?.fingerprint ?? null)}::text[]
      ) with ordinality as r(reservation_id, user_id, concert_id, show_id, queue_number, key, fingerprint, ord)
    ), remembered as materialized (
      select r.ord,
             case when k.fingerprint = r.fingerprint then k.outcome
                  else '{"code": "idempotency-key-reused"}'::json end as outcome
        from request r
        join idempotency_keys k on k.user_id = r.user_id and k.key = r.key
    ), wanted as materialized (
      select w.ord, r.show_id, w.number
        from unnest(${wantedOrds}::int[], ${wantedNumbers}::int[]) as w(ord, number)
        join request r on r.ord = w.ord
       where not exists (select from remembered m where m.ord = w.ord)
    ), locked as materialized (
      select show_id, number, price, held_until, sold_at
        from seats
       where (show_id, number) in (select show_id, number from wanted)
       order by show_id, number
         for update
    ), moment as materialized (
      -- After the last lock: a deadline that passes while waiting for it has passed.
      select clock_timestamp() as at, count(*) from locked
    ), seat as materialized (
      select w.ord, w.number, l.price,
             l.number is null as is_missing,
             l.sold_at is not null or coalesce(l.held_until > m.at, false) as is_taken,
             w.ord = min(w.ord) over (partition by w.show_id, w.number) as is_first,
             w.show_id
        from wanted w
       cross join moment m
        left join locked l on l.show_id = w.show_id and l.number = w.number
    ), wish as materialized (
      select ord,
             array_agg(number order by number) as numbers,
             array_agg(price order by number) as prices,
             sum(price)::bigint as total,
             count(*) as size,
             bool_and(is_first) as is_first,
             array_agg(number order by number) filter (where is_missing) as missing,
             array_agg(number order by number) filter (where is_taken) as taken
        from seat
       group by ord
    ), past as materialized (
      select r.ord, coalesce(p.have, 0) as have, coalesce(p.last, 0) + 1 as ordinal
        from request r
        join wish w using (ord)
       cross join moment m
       cross join lateral (
         select max(v.ordinal) as last,
                sum(cardinality(v.seat_numbers)) filter (
                  where v.state = 'paid' or (v.state = 'held' and v.held_until > m.at)
                ) as have
           from reservations v
          where v.user_id = r.user_id and v.show_id = r.show_id
       ) p
       where w.missing is null and w.taken is null
    ), held as materialized (
      select r.*, w.numbers, w.prices, w.total, p.ordinal, m.at,
             -- Whole milliseconds, so that the deadline is the same in every answer.
             date_trunc('milliseconds', m.at) + make_interval(secs => ${holdSeconds}) as held_until
        from request r
        join wish w using (ord)
        join past p using (ord)
       cross join moment m
       where w.is_first and p.have + w.size <= ${seatsPerUserMax}
    ), won as materialized (
      select s.show_id, s.number, h.reservation_id, h.held_until from seat s join held h using (ord)
    ), marked as (
      update seats t set reservation_id = w.reservation_id, held_until = w.held_until
        from won w
       where t.show_id = w.show_id and t.number = w.number
    ), reserved as (
      insert into reservations (
        id, user_id, concert_id, show_id, ordinal, seat_numbers, seat_prices, total, state, held_until, created_at
      )
      select reservation_id, user_id, concert_id, show_id, ordinal, numbers, prices, total, 'held', held_until, at
        from held
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.reservations', reservation_id::text, 'reservation.held',
             jsonb_build_object(
               'reservationId', reservation_id, 'userId', user_id, 'concertId', concert_id, 'showId', show_id,
               'seats', to_jsonb(numbers), 'total', total, 'heldUntil', held_until,
               'queueNumber', queue_number
             ),
             at
        from held
       order by ord
    ), outcome as materialized (
      select r.ord,
             case
               when h.ord is not null then json_build_object('code', 'held', 'answer', json_build_object(
                 'reservationId', h.reservation_id, 'showId', h.show_id,
                 'seats', (
                   select json_agg(json_build_object('number', n, 'price', c) order by n)
                     from unnest(h.numbers, h.prices) as u(n, c)
                 ),
                 'total', h.total, 'state', 'held', 'heldUntil', h.held_until
               ))
               when w.missing is not null then json_build_object('code', 'seat-not-found', 'seats', w.missing)
               when w.taken is not null or o.numbers is not null
                 then json_build_object('code', 'seat-taken', 'seats', coalesce(w.taken, '{}') || coalesce(o.numbers, '{}'))
               when p.have + w.size > ${seatsPerUserMax}
                 then json_build_object('code', 'too-many-seats', 'limit', ${seatsPerUserMax}::int, 'have', p.have)
             end as outcome
        from request r
        join wish w using (ord)
        left join held h using (ord)
        left join past p using (ord)
        left join lateral (
          -- Seats that others of this batch have just got.
          select array_agg(s.number order by s.number) as numbers
            from seat s
            join won x on x.show_id = s.show_id and x.number = s.number
           where s.ord = r.ord and not s.is_taken and h.ord is null
        ) o on true
    ), kept as (
      insert into idempotency_keys (user_id, key, fingerprint, outcome)
      select r.user_id, r.key, r.fingerprint, o.outcome
        from request r
        join outcome o using (ord)
       where r.key is not null and o.outcome is not null
       order by r.user_id, r.key
    )
    select coalesce(m.outcome, o.outcome) as outcome
      from request r
      left join remembered m using (ord)
      left join outcome o using (ord)
     order by r.ord`)
  return rows.map(({ outcome }) => outcome ?? again)
}
