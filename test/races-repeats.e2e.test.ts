import { expect, test } from 'vitest'
import { sql } from '../src/platform/postgres/sql.ts'
import { createConcert, Fan, type Answer } from './client.ts'
import { expectInvariants } from './sale.ts'
import { operatorToken } from './service.ts'
import { all, countStatuses, twoInstances, type TwoInstances } from './two-instances.ts'

const price = 10_000

async function admittedFan(two: TwoInstances) {
  const { concertId, showIds } = await createConcert(two.clients[0], operatorToken, { shows: [{ price }] })
  const fan = await Fan.signUp(two.clients[0])
  await fan.join(concertId)
  return { concertId, showId: showIds[0]!, fan }
}

/** The different answers among `answers`, as sent. */
const different = (answers: Answer[]) => [
  ...new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))),
]

test('one request sent fifty times at once through two instances has one effect and one answer', async () => {
  await using two = await twoInstances()
  const { fan, showId } = await admittedFan(two)

  const charges = await all(50, (index) => two.as(fan, index).charge(50_000, 'charge-1'))
  expect(different(charges)).toEqual([JSON.stringify([201, charges[0]!.body])])
  expect((await fan.balance()).body['balance']).toBe(50_000)

  const holds = await all(50, (index) => two.as(fan, index).hold(showId, [8, 7], 'hold-1'))
  expect(different(holds)).toEqual([JSON.stringify([201, holds[0]!.body])])
  expect(await two.database.query(sql`select from reservations`)).toHaveLength(1)

  // The first payment ends the session; the others are told what it was told.
  const { reservationId } = holds[0]!.body as { reservationId: string }
  const payments = await all(50, (index) => two.as(fan, index).pay(reservationId, 'pay-1'))
  expect(different(payments)).toEqual([JSON.stringify([201, payments[0]!.body])])
  expect((await fan.balance()).body['balance']).toBe(50_000 - 2 * price)
  await expectInvariants(two.database)
})

test('the same key with other content is refused, also when both arrive at once', async () => {
  await using two = await twoInstances()
  const { fan, showId } = await admittedFan(two)
  const answers = await all(20, (index) => two.as(fan, index).charge(index % 2 === 0 ? 1_000 : 2_000, 'same'))
  expect(countStatuses(answers)).toEqual({ 201: 10, 422: 10 })
  const refused = answers.filter(({ status }) => status === 422)
  expect(new Set(refused.map(({ body }) => body['code']))).toEqual(new Set(['idempotency-key-reused']))
  const taken = answers.find(({ status }) => status === 201)!.body
  expect((await fan.balance()).body['balance']).toBe(taken['amount'])

  const holds = await all(10, (index) => two.as(fan, index).hold(showId, [index + 1], 'seats'))
  expect(countStatuses(holds)).toEqual({ 201: 1, 422: 9 })
  // A key is the fan's, not the call's.
  expect((await fan.hold(showId, [20], 'same')).body['code']).toBe('idempotency-key-reused')
  await expectInvariants(two.database)
})

test('a key means nothing to another fan', async () => {
  await using two = await twoInstances()
  const { fan, concertId, showId } = await admittedFan(two)
  const other = await Fan.signUp(two.clients[1])
  await other.join(concertId)
  const [mine, theirs] = await Promise.all([fan.hold(showId, [1], 'key'), other.hold(showId, [2], 'key')])
  expect([mine.status, theirs.status]).toEqual([201, 201])
  expect(mine.body['reservationId']).not.toBe(theirs.body['reservationId'])
  expect((await other.hold(showId, [1], 'other-key')).body).toMatchObject({ code: 'seat-taken', seats: [1] })
  expect((await other.hold(showId, [1], 'key')).body['code']).toBe('idempotency-key-reused')
})

test('a repeat is answered as the first was, whatever has happened since', async () => {
  await using two = await twoInstances()
  const { fan, concertId, showId } = await admittedFan(two)
  const rival = await Fan.signUp(two.clients[1])
  await rival.join(concertId)

  // A refusal stays one, although the seat is free by now.
  const { body: inTheWay } = await rival.hold(showId, [3])
  const refused = await fan.hold(showId, [3], 'refused')
  expect(refused.body).toMatchObject({ code: 'seat-taken', seats: [3] })
  await rival.cancel(inTheWay['reservationId'])
  expect((await two.as(fan, 1).hold(showId, [3], 'refused')).body).toEqual(refused.body)
  const missing = await fan.hold(showId, [3, 51, 52], 'missing')
  expect(missing.body).toMatchObject({ status: 404, code: 'seat-not-found', seats: [51, 52] })
  expect((await two.as(fan, 1).hold(showId, [3, 51, 52], 'missing')).body).toEqual(missing.body)

  // A hold is told as it was, although it was cancelled and its seat is another's.
  const held = await fan.hold(showId, [4], 'held')
  expect((await fan.cancel(held.body['reservationId'])).status).toBe(204)
  expect((await rival.hold(showId, [4])).status).toBe(201)
  const repeated = await two.as(fan, 1).hold(showId, [4], 'held')
  expect([repeated.status, repeated.body]).toEqual([201, held.body])

  // A payment that was refused for want of money, too: paying then takes a new key.
  const second = await fan.hold(showId, [5, 6])
  const poor = await fan.pay(second.body['reservationId'], 'poor')
  expect(poor.body).toMatchObject({ code: 'insufficient-balance', balance: 0, required: 2 * price })
  await fan.charge(100_000)
  expect((await fan.pay(second.body['reservationId'], 'poor')).body).toEqual(poor.body)
  const paid = await fan.pay(second.body['reservationId'], 'paid')
  expect(paid.status).toBe(201)

  // The session has ended: only what was asked before is answered.
  for (const [again, first] of [
    [await two.as(fan, 1).pay(second.body['reservationId'], 'paid'), paid],
    [await two.as(fan, 1).hold(showId, [4], 'held'), held],
    [await two.as(fan, 1).hold(showId, [3], 'refused'), refused],
  ] as const) {
    expect([again.status, again.body]).toEqual([first.status, first.body])
  }
  expect((await fan.pay(second.body['reservationId'], 'new')).body['code']).toBe('session-ended')
  expect((await fan.pay(second.body['reservationId'], 'held')).body['code']).toBe('idempotency-key-reused')

  // A repeat does not end the session that the fan has begun since.
  await fan.join(concertId)
  expect((await fan.pay(second.body['reservationId'], 'paid')).body).toEqual(paid.body)
  expect((await fan.place()).body['status']).toBe('active')
  await expectInvariants(two.database)
})
