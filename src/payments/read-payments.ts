import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { page } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import { seatsOf } from '../reservations/reservation.ts'
import type { Payment } from './payment.ts'

type PaymentRow = {
  id: string
  reservation_id: string
  show_id: number
  seat_numbers: number[]
  seat_prices: number[]
  amount: number
  balance: number
  paid_at: Date
}

function toPayment(row: PaymentRow): Payment {
  return {
    paymentId: row.id,
    reservationId: row.reservation_id,
    showId: row.show_id,
    seats: seatsOf(row.seat_numbers, row.seat_prices),
    amount: row.amount,
    balance: row.balance,
    paidAt: row.paid_at,
  }
}

/** A page of a fan's own payments, newest first. */
export async function listPayments(
  database: Database,
  userId: string,
  before: string | undefined,
  limit: number,
) {
  const rows = await database.query<PaymentRow>(sql`
    select p.id, p.reservation_id, p.show_id, p.seat_numbers, p.seat_prices, p.amount, p.balance, p.paid_at
      from reservations v
      join payments p on p.reservation_id = v.id
     where v.user_id = ${userId} and v.state = 'paid'
       and (${before ?? null}::uuid is null or p.id < ${before ?? null}::uuid)
     order by p.id desc
     limit ${limit + 1}`)
  const { shown, nextCursor } = page(rows, limit, (row) => [row.id])
  return { payments: shown.map(toPayment), nextCursor }
}

/** One of the fan's own payments; `payment-not-found` otherwise. */
export async function readPayment(database: Database, userId: string, paymentId: string): Promise<Payment> {
  const [row] = await database.query<PaymentRow>(sql`
    select id, reservation_id, show_id, seat_numbers, seat_prices, amount, balance, paid_at
      from payments
     where user_id = ${userId} and id = ${paymentId}`)
  if (!row) throw problem('payment-not-found')
  return toPayment(row)
}
