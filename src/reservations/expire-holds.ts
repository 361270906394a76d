import { limits } from '../limits.ts'
import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'

/**
 * Writes the history of holds whose deadline has passed: the state and the event. Their seats were free from that
 * moment on without it. Several instances may run it at once; each takes other rows. True when there may be more.
 */
export async function expireHolds(database: Database): Promise<boolean> {
  const expired = await database.query<{ id: string }>(sql`
    with due as materialized (
      select id, user_id, concert_id, show_id, seat_numbers, held_until
        from reservations
       where state = 'held' and held_until <= now()
       order by held_until
       limit ${limits.batch}
         for update skip locked
    ), expired as (
      update reservations v set state = 'expired', closed_at = d.held_until
        from due d
       where v.id = d.id
      returning v.id
    ), announced as (
      insert into outbox (topic, key, type, data, occurred_at)
      select 'frontrow.reservations', id::text, 'reservation.expired',
             json_build_object(
               'reservationId', id, 'userId', user_id, 'concertId', concert_id, 'showId', show_id,
               'seats', seat_numbers
             ),
             held_until
        from due
    )
    select id from expired`)
  return expired.length === limits.batch
}
