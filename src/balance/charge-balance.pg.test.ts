import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import { addFan, expectInvariants } from '../../test/sale.ts'
import { sql } from '../platform/postgres/sql.ts'
import { chargeBalance } from './charge-balance.ts'
import { listEntries, readBalance } from './read-balance.ts'

const charge = (userId: string, amount: number) => ({ userId, amount, idempotency: undefined })

test('charges of many fans at once through two instances are each answered with the balance that they left', async () => {
  await using database = await freshDatabase()
  const fans = await Promise.all(Array.from({ length: 5 }, () => addFan(database)))
  const here = chargeBalance(database)
  const there = chargeBalance(database)
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      (index % 2 === 0 ? here : there)(charge(fans[index % 5]!, 1 + index)),
    ),
  )
  const entries = await Promise.all(fans.map((fan) => listEntries(database, fan, undefined, 1_000)))
  for (const [index, fan] of fans.entries()) {
    const told = outcomes.flatMap((outcome, at) =>
      outcome.code === 'charged' && at % 5 === index ? [outcome.answer] : [],
    )
    const lines = entries[index]!.entries.toReversed()
    expect(lines.map(({ reference, amount, balance }) => ({ chargeId: reference, amount, balance }))).toEqual(
      told.toSorted((a, b) => a.balance - b.balance),
    )
    expect(told).toHaveLength(40)
    expect(await readBalance(database, fan)).toBe(told.reduce((sum, { amount }) => sum + amount, 0))
  }
  await expectInvariants(database)
})

test('a balance never passes the largest number that JSON keeps, and the refusal says how much still fits', async () => {
  await using database = await freshDatabase()
  const fan = await addFan(database)
  const most = Number.MAX_SAFE_INTEGER
  const submit = chargeBalance(database)
  expect(await submit(charge(fan, most - 10))).toMatchObject({ code: 'charged' })
  const outcomes = await Promise.all([6, 6, 5, 4].map((amount) => submit(charge(fan, amount))))
  expect(outcomes.map(({ code }) => code)).toEqual(['charged', 'invalid-amount', 'invalid-amount', 'charged'])
  expect(outcomes[1]).toEqual({ code: 'invalid-amount', limit: 4 })
  expect(await readBalance(database, fan)).toBe(most)
  await expectInvariants(database)
})

test('a fan whom this database does not know is charged nothing, beside one whom it knows', async () => {
  await using database = await freshDatabase()
  const fan = await addFan(database)
  const submit = chargeBalance(database)
  const outcomes = await Promise.all(
    [fan, randomUUID(), await addFan(database)].map((id) => submit(charge(id, 5))),
  )
  expect(outcomes.map(({ code }) => code)).toEqual(['charged', 'unauthenticated', 'charged'])
  await expectInvariants(database)
})

test('each charge is one event, in the order of the ledger', async () => {
  await using database = await freshDatabase()
  const fan = await addFan(database)
  const submit = chargeBalance(database)
  await Promise.all([1, 2, 3].map((amount) => submit(charge(fan, amount))))
  const events = await database.query<{ data: Record<string, unknown> }>(sql`
    select data from outbox where type = 'balance.charged' and key = ${fan} order by position`)
  expect(events.map(({ data }) => [data['amount'], data['balance']])).toEqual([
    [1, 1],
    [2, 3],
    [3, 6],
  ])
})
