import { expect, test } from 'vitest'
import { chargeBalance } from '../src/balance/charge-balance.ts'
import { payReservation } from '../src/payments/pay-reservation.ts'
import type { Database } from '../src/platform/postgres/database.ts'
import { sql } from '../src/platform/postgres/sql.ts'
import { cancelHold } from '../src/reservations/cancel-hold.ts'
import { expireHolds } from '../src/reservations/expire-holds.ts'
import { answerHold, holdSeats } from '../src/reservations/hold-seats.ts'
import { freshDatabase } from './database.ts'
import { addFan, addShow, bill, expectInvariants, newId, reach, wish } from './sale.ts'

const tables = [
  'seats',
  'reservations',
  'balances',
  'balance_entries',
  'payments',
  'idempotency_keys',
  'outbox',
] as const
type Table = (typeof tables)[number]

/** Everything that the statements of a sale write. */
async function everything(database: Database): Promise<Record<string, unknown[]>> {
  const rows: Record<string, unknown[]> = {}
  for (const table of tables) {
    const text = `select t::text as row from ${table} t order by 1`
    rows[table] = await database.query({ name: `all-${table}`, text, values: [] })
  }
  return rows
}

test('each step of each statement is of one piece with the others: when one fails, none has happened', async () => {
  await using database = await freshDatabase()
  await database.query(sql`
    create function fail() returns trigger language plpgsql as $$ begin raise 'this step fails'; end $$`)
  const show = await addShow(database, 20)
  const fan = await addFan(database, 1_000_000)
  const rules = { holdSeconds: 60, seatsPerUserMax: 20 }
  const hold = holdSeats(database, rules)
  const toPay = answerHold(await hold(wish(show, fan, [1, 2])))
  const toCancel = answerHold(await hold(wish(show, fan, [3, 4])))
  const toExpire = answerHold(await holdSeats(database, { ...rules, holdSeconds: 1 })(wish(show, fan, [5])))
  await reach(database, toExpire.heldUntil)

  const operations: { name: string; writes: Table[]; run: () => Promise<unknown> }[] = [
    {
      name: 'hold',
      writes: ['seats', 'reservations', 'outbox', 'idempotency_keys'],
      run: () => hold(wish(show, fan, [6, 7], newId())),
    },
    {
      name: 'pay',
      writes: [
        'reservations',
        'seats',
        'balances',
        'payments',
        'balance_entries',
        'outbox',
        'idempotency_keys',
      ],
      run: () => payReservation(database)(bill(show.concertId, fan, toPay.reservationId, newId())),
    },
    {
      name: 'charge',
      writes: ['balances', 'balance_entries', 'outbox', 'idempotency_keys'],
      run: () =>
        chargeBalance(database)({ userId: fan, amount: 5, idempotency: { key: newId(), fingerprint: '' } }),
    },
    {
      name: 'cancel',
      writes: ['reservations', 'seats', 'outbox'],
      run: () => cancelHold(database)({ userId: fan, reservationId: toCancel.reservationId }),
    },
    { name: 'expire', writes: ['reservations', 'outbox'], run: () => expireHolds(database) },
  ]
  const before = await everything(database)
  for (const { name, writes, run } of operations) {
    for (const table of writes) {
      const trigger = `create trigger broken before insert or update on ${table} execute function fail()`
      await database.query({ name: `break-${table}`, text: trigger, values: [] })
      const failure: unknown = await run().catch((error: Error) => error.message)
      await database.query({ name: `mend-${table}`, text: `drop trigger broken on ${table}`, values: [] })
      expect({ name, table, failure }).toEqual({ name, table, failure: 'this step fails' })
      expect(await everything(database)).toEqual(before)
    }
  }

  // Nothing but the broken step was in the way.
  for (const { run } of operations) await run()
  const after = await everything(database)
  for (const table of tables) expect(after[table]).not.toEqual(before[table])
  const states = await database.query(sql`select state from reservations order by id`)
  expect(states.map((row) => Object.values(row)[0])).toEqual(['paid', 'cancelled', 'expired', 'held'])
  await expectInvariants(database)
})
