import type { Consumer } from '../events/bus.ts'
import type { Event } from '../events/event.ts'
import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'

/** Counts what each show has sold, from payments. Counting twice would show: it is one transaction with the inbox. */
export const countSales: Consumer = {
  name: 'operator-sales',
  types: ['payment.completed'],
  effect: 'transactional',
  async handle(events, tx) {
    const payments = (events as Event<'payment.completed'>[]).map(({ data }) => data)
    await tx.query(sql`
      insert into sales (show_id, concert_id, payments, seats, amount)
      select show_id, concert_id, count(*), sum(seats), sum(amount)
        from unnest(
          ${payments.map((payment) => payment.showId)}::int[],
          ${payments.map((payment) => payment.concertId)}::int[],
          ${payments.map((payment) => payment.seats.length)}::int[],
          ${payments.map((payment) => payment.amount)}::bigint[]
        ) as p(show_id, concert_id, seats, amount)
       group by show_id, concert_id
       order by show_id
          on conflict (show_id) do update
         set payments = sales.payments + excluded.payments,
             seats = sales.seats + excluded.seats,
             amount = sales.amount + excluded.amount`)
  },
}

export type ShowSales = { showId: number; payments: number; seats: number; amount: number }

/** What each show of a concert has sold so far, as the events told it: a moment behind the payments themselves. */
export async function readSales(database: Database, concertId: number): Promise<ShowSales[]> {
  return database.query<ShowSales>(sql`
    select w.id as "showId", coalesce(s.payments, 0) as payments, coalesce(s.seats, 0) as seats,
           coalesce(s.amount, 0)::bigint as amount
      from shows w
      left join sales s on s.show_id = w.id
     where w.concert_id = ${concertId}
     order by w.starts_at, w.id`)
}
