import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sql } from '../src/platform/postgres/sql.ts'
import { createConcert, Fan, type Answer } from './client.ts'
import { expectInvariants } from './sale.ts'
import { operatorToken } from './service.ts'
import { all, countStatuses, twoInstances } from './two-instances.ts'

const price = 10_000

test('five hundred charges and payments of one fan at once: right to the won', async () => {
  await using two = await twoInstances()
  const { database } = two
  const fan = await Fan.signUp(two.clients[0])
  const orders = await all(25, async (index) => {
    // A payment ends the session of its concert, so each is of another.
    const { concertId, showIds } = await createConcert(two.instance(index), operatorToken, {
      shows: [{ price }],
    })
    const here = two.as(fan, index)
    await here.join(concertId)
    const { body } = await here.hold(showIds[0]!, [1])
    return () => here.pay(body['reservationId'])
  })

  const charged: Answer[] = []
  const paid: Answer[] = []
  await all(500, async (index) => {
    if (index % 20 === 5) paid.push(await orders[(index - 5) / 20]!())
    else charged.push(await two.as(fan, index).charge(1 + ((index * 7_919) % 2_500)))
  })

  expect(countStatuses(charged)).toEqual({ 201: 475 })
  const receipts = paid.filter(({ status }) => status === 201)
  expect(receipts).not.toEqual([])
  const refusals = paid.filter(({ status }) => status !== 201)
  for (const { body } of refusals) {
    expect(body).toMatchObject({ code: 'insufficient-balance', required: price })
    expect(body['balance']).toBeLessThan(price)
  }
  const sum = (answers: Answer[]) => answers.reduce((total, { body }) => total + body['amount'], 0)
  expect((await fan.balance()).body['balance']).toBe(sum(charged) - sum(receipts))

  // Every answer is a line of the ledger, with the balance that it left.
  const lines = await database.query<{ reference: string; amount: number; balance: number }>(sql`
    select reference, amount, balance from balance_entries order by reference`)
  expect(lines).toEqual(
    [
      ...charged.map(({ body: { chargeId, amount, balance } }) => ({ reference: chargeId, amount, balance })),
      ...receipts.map(({ body: { paymentId, amount, balance } }) => ({
        reference: paymentId,
        amount: -amount,
        balance,
      })),
    ].toSorted((a, b) => (a.reference < b.reference ? -1 : 1)),
  )
  await expectInvariants(database)
})

test('a hundred payments of one reservation at once: paid once, and the others are told so', async () => {
  await using two = await twoInstances()
  const { concertId, showIds } = await createConcert(two.clients[0], operatorToken, { shows: [{ price }] })
  const fan = await Fan.signUp(two.clients[0])
  await fan.join(concertId)
  await fan.charge(1_000_000)
  const { body: held } = await fan.hold(showIds[0]!, [1, 2])
  const answers = await all(100, (index) => two.as(fan, index).pay(held['reservationId']))

  const told = answers.map(({ status, body }) => body['code'] ?? status)
  expect(told.filter((code) => code === 201)).toHaveLength(1)
  expect(['already-paid', 'session-ended', 201]).toEqual(expect.arrayContaining([...new Set(told)]))
  expect((await fan.balance()).body['balance']).toBe(1_000_000 - 2 * price)
  await expectInvariants(two.database)
})

test('a fan who spends the same won in several places at once spends them once', async () => {
  await using two = await twoInstances()
  const fan = await Fan.signUp(two.clients[0])
  await fan.charge(3 * price)
  const holds = await all(10, async (index) => {
    const { concertId, showIds } = await createConcert(two.instance(index), operatorToken, {
      shows: [{ price }],
    })
    const here = two.as(fan, index)
    await here.join(concertId)
    const { body } = await here.hold(showIds[0]!, [1])
    return () => here.pay(body['reservationId'])
  })
  const answers = await Promise.all(holds.map((pay) => pay()))
  expect(countStatuses(answers)).toEqual({ 201: 3, 402: 7 })
  expect((await fan.balance()).body['balance']).toBe(0)
  await expectInvariants(two.database)
})

test('at the deadline a hold is paid, or it has expired and is another’s; in two hundred rounds never both', async () => {
  // What the rivals get through the second instance stays theirs to the end of the test.
  await using two = await twoInstances({ HOLD_SECONDS: '1' }, { second: { HOLD_SECONDS: '600' } })
  const { database, clients } = two
  const rounds = 200
  const { concertId, showIds } = await createConcert(clients[0], operatorToken, {
    shows: [{ seats: rounds, price }],
  })
  const showId = showIds[0]!
  const pairs = await all(rounds, async () => {
    const [fan, rival] = await Promise.all([Fan.signUp(clients[0]), Fan.signUp(clients[1])])
    await Promise.all([fan.charge(price), fan.join(concertId), rival.join(concertId)])
    return { fan, rival }
  })

  /** Calls when this machine's clock, which the database's is, too, is so far from the deadline. */
  const at = async (deadline: Date, offsetMs: number, call: () => Promise<Answer>) => {
    await sleep(Math.max(0, deadline.getTime() + offsetMs - Date.now()))
    return call()
  }
  const results = await all(rounds, async (index) => {
    const { fan, rival } = pairs[index]!
    const seat = index + 1
    // The rounds are spread over a second, so that each meets its own deadline and not the others' crowd.
    await sleep(index * 5)
    const { body: held } = await fan.hold(showId, [seat])
    const deadline = new Date(held['heldUntil'])
    const offsetMs = index % 20 === 0 ? -700 : index % 20 === 1 ? 100 : ((index * 7) % 64) - 60
    const [payment, ...claims] = await Promise.all([
      at(deadline, offsetMs, () => two.as(fan, index).pay(held['reservationId'])),
      ...[-20, -5, 0, 5, 20].map((rivalMs) => at(deadline, rivalMs, () => rival.hold(showId, [seat]))),
    ])
    return { deadline, payment, claims }
  })

  const owners = await database.query<{ number: number; is_sold: boolean; owner: string }>(sql`
    select s.number, s.sold_at is not null as is_sold, v.user_id as owner
      from seats s join reservations v on v.id = s.reservation_id
     where s.show_id = ${showId} order by s.number`)
  const stories = results.map(({ deadline, payment, claims }, index) => {
    const { fan, rival } = pairs[index]!
    const seat = owners[index]!
    return {
      payment:
        payment.status === 201 && new Date(payment.body['paidAt']) < deadline
          ? 'in time'
          : payment.body['code'],
      claims: claims.filter(({ status }) => status === 201).length,
      refusals: claims.filter(
        ({ body: { code, seats } }) => code === 'seat-taken' && seats.length === 1 && seats[0] === index + 1,
      ).length,
      seat: seat.is_sold ? 'sold' : 'held',
      owner: seat.owner === fan.userId ? 'fan' : seat.owner === rival.userId ? 'rival' : seat.owner,
    }
  })
  const paid = { payment: 'in time', claims: 0, refusals: 5, seat: 'sold', owner: 'fan' }
  // The last claim came after the deadline, so a seat that was not paid has become the rival's.
  const expired = { payment: 'hold-expired', claims: 1, refusals: 4, seat: 'held', owner: 'rival' }
  const different = [...new Set(stories.map((story) => JSON.stringify(story)))].toSorted()
  expect(different).toEqual([JSON.stringify(expired), JSON.stringify(paid)])
  await expectInvariants(database)
})
