import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { page } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import { seatsOf, type Reservation, type ReservationState } from './reservation.ts'

type ReservationRow = {
  id: string
  concert_id: number
  show_id: number
  seat_numbers: number[]
  seat_prices: number[]
  total: number
  state: ReservationState
  held_until: Date
  created_at: Date
}

function toReservation(row: ReservationRow): Reservation & { createdAt: Date } {
  return {
    reservationId: row.id,
    concertId: row.concert_id,
    showId: row.show_id,
    seats: seatsOf(row.seat_numbers, row.seat_prices),
    total: row.total,
    state: row.state,
    heldUntil: row.held_until,
    createdAt: row.created_at,
  }
}

/** A page of a fan's own reservations, newest first. A hold past its deadline reads as expired at once. */
export async function listReservations(
  database: Database,
  userId: string,
  before: string | undefined,
  limit: number,
) {
  const rows = await database.query<ReservationRow>(sql`
    select id, concert_id, show_id, seat_numbers, seat_prices, total, held_until, created_at,
           case when state = 'held' and held_until <= clock_timestamp() then 'expired' else state end as state
      from reservations
     where user_id = ${userId} and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
     order by id desc
     limit ${limit + 1}`)
  const { shown, nextCursor } = page(rows, limit, (row) => [row.id])
  return { reservations: shown.map(toReservation), nextCursor }
}

/** One of the fan's own reservations; `reservation-not-found` otherwise. */
export async function readReservation(database: Database, userId: string, reservationId: string) {
  const [row] = await database.query<ReservationRow>(sql`
    select id, concert_id, show_id, seat_numbers, seat_prices, total, held_until, created_at,
           case when state = 'held' and held_until <= clock_timestamp() then 'expired' else state end as state
      from reservations
     where user_id = ${userId} and id = ${reservationId}`)
  if (!row) throw problem('reservation-not-found')
  return toReservation(row)
}

/** Seats that the fan holds or has paid for in a show. */
export async function countSeatsOf(database: Database, userId: string, showId: number): Promise<number> {
  const [row] = await database.query<{ have: number }>(sql`
    select coalesce(sum(cardinality(seat_numbers)), 0)::int as have
      from reservations
     where user_id = ${userId} and show_id = ${showId}
       and (state = 'paid' or (state = 'held' and held_until > clock_timestamp()))`)
  return row?.have ?? 0
}
