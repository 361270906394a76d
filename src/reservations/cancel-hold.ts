import { limits } from '../limits.ts'
import { batch } from '../platform/batch.ts'
import { isRetryable, isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { ReservationState } from './reservation.ts'

export type CancelRequest = { userId: string; reservationId: string }

export type CancelOutcome =
  | { code: 'cancelled' }
  | { code: 'reservation-not-found' }
  | { code: 'not-held'; state: ReservationState }

/** Gives up a hold before its deadline; its seats are free at once. */
export function cancelHold(database: Database): (request: CancelRequest) => Promise<CancelOutcome> {
  return batch({
    run: (requests: CancelRequest[]) => runCancels(database, requests),
    // An id may be written in capitals, too.
    lane: (request) => request.reservationId.toLowerCase(),
    max: limits.batch,
    maxQueued: limits.batchQueue,
    isRetryable,
    isUnavailable,
  })
}

async function runCancels(database: Database, requests: CancelRequest[]): Promise<CancelOutcome[]> {
  const rows = await database.query<{ state: ReservationState | null; is_cancelled: boolean }>(sql`
    with request as materialized (
      select * from unnest(
        ${requests.map((request) => request.reservationId)}::uuid[],
        ${requests.map((request) => request.userId)}::uuid[]
      ) with ordinality as r(reservation_id, user_id, ord)
    ), reservation as materialized (
      select v.id, v.user_id, v.show_id, v.concert_id, v.seat_numbers, v.state, v.held_until
        from reservations v
       where v.id in (select reservation_id from request)
       order by v.id
         for update
    ), locked as materialized (
      select s.show_id, s.number
        from seats s
       where (s.show_id, s.number) in (
         select v.show_id, unnest(v.seat_numbers) from reservation v where v.state = 'held'
       )
       order by s.show_id, s.number
         for update
    ), moment as materialized (
      select clock_timestamp() as at, count(*) from locked
    ), due as materialized (
      select v.*, m.at
        from reservation v
        join request r on r.reservation_id = v.id and r.user_id = v.user_id
       cross join moment m
       where v.state = 'held' and v.held_until > m.at
    ), cancelled as (
      update reservations v set state = 'cancelled', closed_at = d.at
        from due d
       where v.id = d.id
    ), freed as (
      update seats s set reservation_id = null, held_until = null
        from due d
       where s.show_id = d.show_id and s.number = any(d.seat_numbers) and s.reservation_id = d.id
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.reservations', id::text, 'reservation.cancelled',
             json_build_object(
               'reservationId', id, 'userId', user_id, 'concertId', concert_id, 'showId', show_id,
               'seats', seat_numbers
             ),
             at
        from due
    )
    select case when v.state = 'held' and v.held_until <= m.at then 'expired' else v.state end as state,
           d.id is not null as is_cancelled
      from request r
     cross join moment m
      left join reservation v on v.id = r.reservation_id and v.user_id = r.user_id
      left join due d on d.id = v.id
     order by r.ord`)
  return rows.map(({ state, is_cancelled: isCancelled }): CancelOutcome => {
    if (state === null) return { code: 'reservation-not-found' }
    return isCancelled ? { code: 'cancelled' } : { code: 'not-held', state }
  })
}
