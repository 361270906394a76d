import { expect, test } from 'vitest'
import { sql } from '../src/platform/postgres/sql.ts'
import { createConcert, Fan, type Answer } from './client.ts'
import { expectInvariants } from './sale.ts'
import { operatorToken } from './service.ts'
import { all, countStatuses, twoInstances } from './two-instances.ts'

test('a thousand fans, one seat: exactly one hold, and 999 are told which seat', async () => {
  await using two = await twoInstances({}, { connections: 500 })
  const { concertId, showIds } = await createConcert(two.clients[0], operatorToken)
  const fans = await all(1_000, (index) => Fan.signUp(two.instance(index)))
  const joined = await Promise.all(fans.map((fan) => fan.join(concertId)))
  expect(countStatuses(joined)).toEqual({ 201: 1_000 })
  expect(joined.map(({ body }) => body['number']).toSorted((a, b) => a - b)).toEqual(
    fans.map((_, index) => index + 1),
  )

  const answers = await all(1_000, (index) => two.as(fans[index]!, index + 1).hold(showIds[0]!, [7]))
  expect(countStatuses(answers)).toEqual({ 201: 1, 409: 999 })
  const refusals = answers.filter(({ status }) => status === 409).map(({ body }) => body)
  expect(new Set(refusals.map(({ code, seats }) => JSON.stringify([code, seats])))).toEqual(
    new Set(['["seat-taken",[7]]']),
  )
  await expectInvariants(two.database)
})

test('overlapping seats asked for in opposite order through two instances: someone gets them, nobody fails', async () => {
  await using two = await twoInstances()
  const { concertId, showIds } = await createConcert(two.clients[0], operatorToken)
  const fans = await all(60, (index) => Fan.signUp(two.instance(index)))
  await Promise.all(fans.map((fan) => fan.join(concertId)))
  const rounds = await all(12, (round) => {
    const seats = [1, 2, 3, 4].map((seat) => round * 4 + seat)
    return all(5, (index) =>
      two.as(fans[round * 5 + index]!, index).hold(showIds[0]!, index % 2 === 0 ? seats : seats.toReversed()),
    )
  })
  expect(rounds.map(countStatuses)).toEqual(Array.from({ length: 12 }, () => ({ 201: 1, 409: 4 })))
  await expectInvariants(two.database)
})

test('a fan who asks fifty times at once through two instances gets seats up to the limit, not one more', async () => {
  await using two = await twoInstances({ SEATS_PER_USER_MAX: '4', SEATS_PER_RESERVATION_MAX: '3' })
  const { concertId, showIds } = await createConcert(two.clients[0], operatorToken, {
    shows: [{ seats: 200 }, {}],
  })
  const [greedy, other] = await all(2, (index) => Fan.signUp(two.instance(index)))
  await greedy!.join(concertId)
  await other!.join(concertId)
  const [singles, triples] = await Promise.all([
    all(50, (index) => two.as(greedy!, index).hold(showIds[0]!, [index + 1])),
    all(10, (index) =>
      two.as(other!, index).hold(
        showIds[0]!,
        [1, 2, 3].map((seat) => 60 + 3 * index + seat),
      ),
    ),
  ])
  expect(countStatuses(singles)).toEqual({ 201: 4, 422: 46 })
  expect(countStatuses(triples)).toEqual({ 201: 1, 422: 9 })
  const refusals = (answers: Answer[]) => {
    const bodies = answers.filter(({ status }) => status === 422).map(({ body }) => body)
    return [...new Set(bodies.map(({ code, limit, have }) => `${code} ${limit} ${have}`))]
  }
  expect(refusals(singles)).toEqual(['too-many-seats 4 4'])
  expect(refusals(triples)).toEqual(['too-many-seats 4 3'])

  // The limit is per show, a request has its own, and what is given back may be taken again.
  expect((await greedy!.hold(showIds[0]!, [101, 102, 103, 104])).body).toMatchObject({
    code: 'too-many-seats',
    limit: 3,
    have: 4,
  })
  expect((await greedy!.hold(showIds[1]!, [1])).status).toBe(201)
  const first = singles.find(({ status }) => status === 201)
  expect((await greedy!.cancel(first!.body['reservationId'])).status).toBe(204)
  const again = await all(6, (index) => two.as(greedy!, index).hold(showIds[0]!, [110 + index]))
  expect(countStatuses(again)).toEqual({ 201: 1, 422: 5 })
  await expectInvariants(two.database)
})

test('when the sale is stormed in random order, every seat is held once and none is left over', async () => {
  await using two = await twoInstances({ SEATS_PER_USER_MAX: '100' })
  const { concertId, showIds } = await createConcert(two.clients[0], operatorToken, {
    shows: [{ seats: 60 }],
  })
  const fans = await all(20, (index) => Fan.signUp(two.instance(index)))
  await Promise.all(fans.map((fan) => fan.join(concertId)))
  const answers = await all(fans.length * 60, (index) =>
    two.as(fans[index % 20]!, index).hold(showIds[0]!, [((index * 17) % 60) + 1]),
  )
  expect(countStatuses(answers)).toEqual({ 201: 60, 409: 1_140 })
  const held = await two.database.query(sql`select from seats where held_until > now()`)
  expect(held).toHaveLength(60)
  await expectInvariants(two.database)
})
