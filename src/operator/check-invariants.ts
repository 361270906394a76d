import { planFreely, type Database } from '../platform/postgres/database.ts'
import { sql, type Statement } from '../platform/postgres/sql.ts'

/** A promise of the service as a query that finds what breaks it: no rows is a kept promise. */
type Invariant = { name: string; violations: Statement }

/** Shown of each broken promise: enough to start looking. */
const shown = 5

export const invariants: Invariant[] = [
  {
    name: 'A seat has at most one live owner',
    violations: sql`
      select show_id, number, count(*) as owners
        from reservations, unnest(seat_numbers) as number
       where state = 'paid' or (state = 'held' and held_until > now())
       group by show_id, number
      having count(*) > 1`,
  },
  {
    name: 'A sold seat belongs to a paid reservation that names it, and the other way round',
    violations: sql`
      select coalesce(s.show_id, p.show_id) as show_id, coalesce(s.number, p.number) as number
        from (select * from seats where sold_at is not null) s
        full join (
          select id, show_id, unnest(seat_numbers) as number from reservations where state = 'paid'
        ) p on p.id = s.reservation_id and p.show_id = s.show_id and p.number = s.number
       where s.show_id is null or p.id is null`,
  },
  {
    name: 'A live hold has all of its seats, and a held seat has a live hold',
    violations: sql`
      select coalesce(s.show_id, h.show_id) as show_id, coalesce(s.number, h.number) as number
        from (select * from seats where sold_at is null and held_until > now()) s
        full join (
          select id, show_id, unnest(seat_numbers) as number
            from reservations where state = 'held' and held_until > now()
        ) h on h.id = s.reservation_id and h.show_id = s.show_id and h.number = s.number
       where s.show_id is null or h.id is null`,
  },
  {
    name: 'A reservation names each seat once, with the price it had',
    violations: sql`
      select id from reservations v
       where cardinality(seat_numbers) = 0
          or cardinality(seat_numbers) <> cardinality(seat_prices)
          or total <> (select sum(p) from unnest(seat_prices) p)
          or cardinality(seat_numbers) <> (select count(distinct n) from unnest(seat_numbers) n)`,
  },
  {
    name: 'Every balance is the sum of its entries and never negative',
    violations: sql`
      select b.user_id, b.amount, coalesce(e.amount, 0) as entries
        from balances b
        full join (select user_id, sum(amount) as amount from balance_entries group by user_id) e using (user_id)
       where b.amount is distinct from coalesce(e.amount, 0) or b.amount < 0`,
  },
  {
    name: 'Each entry carries the balance that it left',
    violations: sql`
      select id from (
        select id, balance, sum(amount) over (partition by user_id order by id) as expected from balance_entries
      ) e
       where balance <> expected`,
  },
  {
    name: 'Charged less paid plus refunded is the sum of balances',
    violations: sql`
      select entries, balances
        from (select coalesce(sum(amount), 0) as entries from balance_entries) e,
             (select coalesce(sum(amount), 0) as balances from balances) b
       where entries <> balances`,
  },
  {
    name: 'A paid reservation has exactly one payment and one entry',
    violations: sql`
      select v.id as reservation_id, p.id as payment_id
        from (select * from reservations where state = 'paid') v
        full join payments p on p.reservation_id = v.id
        left join balance_entries e on e.reference = p.id and e.kind = 'payment' and e.amount = -p.amount
       where v.id is null or p.id is null or e.id is null
          or p.amount <> v.total or p.user_id <> v.user_id or e.user_id <> p.user_id
      union all
      select e.reference, null from balance_entries e
       where e.kind = 'payment' and not exists (select from payments p where p.id = e.reference)`,
  },
  {
    name: 'A paid reservation has exactly one payment.completed event',
    violations: sql`
      select v.id as reservation_id, count(o.position) as events
        from reservations v
        left join outbox o on o.type = 'payment.completed' and o.key = v.id::text
       where v.state = 'paid'
         -- Published events are kept for some days only.
         and v.closed_at > (select coalesce(min(occurred_at), 'infinity') from outbox)
       group by v.id
      having count(o.position) <> 1`,
  },
  {
    name: 'Nothing was paid at or after its deadline',
    violations: sql`
      select p.reservation_id
        from payments p join reservations v on v.id = p.reservation_id
       where p.paid_at >= v.held_until`,
  },
  {
    name: 'Queue numbers are dense, from 1 to the last one issued',
    violations: sql`
      select q.concert_id, q.issued, p.places, p.last
        from queues q
        left join (
          select concert_id, count(*) as places, max(number) as last, min(number) as first
            from queue_places group by concert_id
        ) p using (concert_id)
       where q.issued <> coalesce(p.places, 0) or q.issued <> coalesce(p.last, 0) or coalesce(p.first, 1) <> 1`,
  },
  {
    name: 'Admission follows the numbers',
    violations: sql`
      select p.concert_id, p.number, p.ended_at, q.serving
        from queue_places p join queues q using (concert_id)
       where (p.number > q.serving and p.active_until is not null)
          or (p.number <= q.serving and p.active_until is null and p.ended_at is null)`,
  },
  {
    name: 'Sessions are counted right',
    violations: sql`
      select q.concert_id, q.active, count(p.number) as sessions
        from queues q
        left join queue_places p
          on p.concert_id = q.concert_id and p.ended_at is null and p.active_until is not null
       group by q.concert_id, q.active
      having q.active <> count(p.number)`,
  },
  {
    name: 'A fan has one live place per concert',
    violations: sql`
      select concert_id, user_id from queue_places where ended_at is null
       group by concert_id, user_id having count(*) > 1`,
  },
]

export type InvariantResult = { name: string; holds: boolean; violations: Record<string, unknown>[] }

/**
 * Checks every promise that a query can check, all on one snapshot of the database. Reads whole tables: meant for
 * after a sale, for tests, and for an operator who has to know now.
 */
export function checkInvariants(database: Database): Promise<InvariantResult[]> {
  return database.transaction(async (tx) => {
    await tx.query(sql`set transaction isolation level repeatable read, read only`)
    await planFreely(tx)
    const results: InvariantResult[] = []
    for (const { name, violations } of invariants) {
      const found = await tx.query<Record<string, unknown>>(violations)
      results.push({ name, holds: found.length === 0, violations: found.slice(0, shown) })
    }
    return results
  })
}
