import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, createConcert, Fan, type Answer, type Headers } from '../../test/client.ts'
import { freshDatabase, type TestDatabase } from '../../test/database.ts'
import { expectInvariants } from '../../test/sale.ts'
import { operatorToken, startService, type TestService } from '../../test/service.ts'
import { queueTokens } from './queue-token.ts'

const secret = 'a secret of the queue tests, long enough to be one'
const patiently = { interval: 20, timeout: 10_000 }
const operator: Headers = { authorization: `Bearer ${operatorToken}` }

let database: TestDatabase
let services: TestService[] = []
/** Clients of two instances on one database. */
let one: Client
let two: Client

beforeAll(async () => {
  database = await freshDatabase()
  services = [
    await startService(database.url, { TOKEN_SECRET: secret }),
    await startService(database.url, { TOKEN_SECRET: secret }),
  ]
  one = new Client(services[0]!.url)
  two = new Client(services[1]!.url)
})

afterAll(async () => {
  await Promise.all([one.close(), two.close()])
  for (const service of services) await service.close()
  await expectInvariants(database)
  await database[Symbol.asyncDispose]()
})

/** Fans who have joined one after the other. */
async function joinInTurn(concertId: number, count: number, client = one): Promise<Fan[]> {
  const fans: Fan[] = []
  for (let number = 0; number < count; number++) {
    const fan = await Fan.signUp(client)
    await fan.join(concertId)
    fans.push(fan)
  }
  return fans
}

const changeQueue = (concertId: number, change: unknown, headers = operator, client = one) =>
  client.call('PATCH', `/v1/operator/concerts/${concertId}/queue`, headers, change)
/** The token with another signature. */
const forge = (token: string): string =>
  token.replace(/\.([\w-]+)$/, (_, signature: string) => `.${Array.from(signature).toReversed().join('')}`)
const statusOf = async (fan: Fan): Promise<string> => (await fan.place()).body['status']

describe('waiting', () => {
  test('tells how many are ahead, when to ask again, and stays out of caches', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 1, shows: [{ seats: 7 }] })
    const [, , third] = await joinInTurn(concertId, 3)
    for (const answer of [await third!.place(), await third!.through(two).place()]) {
      expect(answer).toMatchObject({
        status: 200,
        body: { number: 3, status: 'waiting', ahead: 1, seatsLeft: 7, activeUntil: null },
        headers: { 'cache-control': 'no-store' },
      })
      const { estimatedWaitSeconds, pollAfterMs } = answer.body
      expect(estimatedWaitSeconds).toBeGreaterThan(0)
      expect(pollAfterMs).toBeGreaterThan(0)
      expect(Number(answer.headers['retry-after'])).toBe(Math.ceil(pollAfterMs / 1000))
    }
  })

  test('ends by admission, and everyone behind is one place further, on every instance', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 1 })
    const [first, second, third] = (await joinInTurn(concertId, 3)) as [Fan, Fan, Fan]
    await first.leave()
    for (const client of [one, two]) {
      await expect
        .poll(async () => (await third.through(client).place()).body, patiently)
        .toMatchObject({ ahead: 0, status: 'waiting' })
      expect((await second.through(client).place()).body).toMatchObject({ status: 'active', ahead: 0 })
    }
  })

  test('asking to join again, here or there, gives the same number and another proof of it', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 1 })
    const [, second] = (await joinInTurn(concertId, 2)) as [Fan, Fan]
    const again = await second.through(two).join(concertId)
    expect(again).toMatchObject({ status: 200, body: { number: 2, status: 'waiting', ahead: 0 } })
    expect(again.body['token']).toEqual(expect.any(String))
  })

  test('takes an empty object as a body, and nothing else', async () => {
    const { concertId } = await createConcert(one, operatorToken)
    const fan = await Fan.signUp(one)
    const path = `/v1/concerts/${concertId}/queue`
    expect((await one.call('POST', path, fan.access, { userId: randomUUID() })).status).toBe(400)
    expect((await one.call('POST', path, fan.access, {})).status).toBe(201)
  })
})

describe('leaving', () => {
  test('while waiting is known at once where it was said, and soon everywhere', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 1 })
    const [, second, third] = (await joinInTurn(concertId, 3)) as [Fan, Fan, Fan]
    expect(await statusOf(second.through(two))).toBe('waiting')
    expect(await second.leave()).toMatchObject({ status: 204 })
    expect((await second.place()).body).toMatchObject({ status: 'ended', reason: 'left', ahead: 0 })
    await expect
      .poll(async () => (await second.through(two).place()).body, patiently)
      .toMatchObject({ status: 'ended', reason: 'left' })
    expect(await statusOf(third)).toBe('waiting')
    expect((await second.leave()).status).toBe(204)
  })

  test('is known at once by an instance that has not heard of the line before', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 1 })
    const fans = await joinInTurn(concertId, 6)
    const { url, close } = await startService(database.url, { TOKEN_SECRET: secret })
    const newcomer = new Client(url)
    // Some ask while others leave, so that the line is being looked at for the first time meanwhile.
    const answers = await Promise.all(
      fans.map(async (fan, index) => {
        const there = fan.through(newcomer)
        if (index % 2 === 0) return there.place()
        await there.leave()
        return there.place()
      }),
    )
    await newcomer.close()
    await close()
    expect(answers.map(({ body }) => body['status'])).toEqual([
      'active',
      'ended',
      'waiting',
      'ended',
      'waiting',
      'ended',
    ])
  })

  test('from inside is known at once, and frees the place', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 1 })
    const [first, second] = (await joinInTurn(concertId, 2)) as [Fan, Fan]
    await first.leave()
    expect((await first.through(two).place()).body).toMatchObject({ status: 'ended', reason: 'left' })
    await expect.poll(() => statusOf(second), patiently).toBe('active')
  })

  test('and joining again gives a new number at the end; the old proof is good for nothing', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 1 })
    const [, second] = (await joinInTurn(concertId, 3)) as [Fan, Fan, Fan]
    const oldToken = second.queueToken
    await second.leave()
    expect(await second.join(concertId)).toMatchObject({
      status: 201,
      body: { number: 4, status: 'waiting' },
    })
    expect((await one.call('GET', '/v1/queue', { 'queue-token': oldToken })).body).toMatchObject({
      number: 2,
      status: 'ended',
      reason: 'left',
    })
    expect(await statusOf(second)).toBe('waiting')
    // Leaving with the old proof does not give up the new place.
    await one.call('DELETE', '/v1/queue', { 'queue-token': oldToken })
    expect(await statusOf(second)).toBe('waiting')
  })
})

describe('a sale', () => {
  test('that has not opened takes nobody, and says when it opens', async () => {
    const saleOpensAt = new Date(Date.now() + 3_600_000)
    const { concertId } = await createConcert(one, operatorToken, { saleOpensAt })
    const fan = await Fan.signUp(one)
    expect(await fan.join(concertId)).toMatchObject({
      status: 403,
      body: { code: 'sale-not-open', saleOpensAt: saleOpensAt.toISOString() },
    })
  })

  test('that is over takes nobody', async () => {
    const { concertId } = await createConcert(one, operatorToken, {
      saleOpensAt: new Date(Date.now() - 2_000),
      saleClosesAt: new Date(Date.now() - 1_000),
    })
    expect(await (await Fan.signUp(one)).join(concertId)).toMatchObject({
      status: 403,
      body: { code: 'sale-closed' },
    })
  })

  test('that closes tells those who still wait', async () => {
    const { concertId } = await createConcert(one, operatorToken, {
      capacity: 1,
      saleClosesAt: new Date(Date.now() + 1_500),
    })
    const [, second] = (await joinInTurn(concertId, 2)) as [Fan, Fan]
    await expect
      .poll(async () => (await second.place()).body, patiently)
      .toMatchObject({ status: 'ended', reason: 'expired' })
  })

  test('of a concert that does not exist has no line', async () => {
    const fan = await Fan.signUp(one)
    for (const concertId of [0, -1, 999_999, 2_147_483_648, -2_147_483_649, 9_007_199_254_740_991]) {
      expect(await fan.join(concertId)).toMatchObject({ status: 404, body: { code: 'concert-not-found' } })
      expect(await one.call('GET', `/v1/concerts/${concertId}/queue`)).toMatchObject({ status: 404 })
    }
    for (const concertId of ['one', '1e1', '01', '1.0']) {
      expect((await one.call('GET', `/v1/concerts/${concertId}/queue`)).status).toBe(400)
    }
  })

  test('that is sold out refuses who joins and tells who waits, so that nobody waits for nothing', async () => {
    const { concertId, showIds } = await createConcert(one, operatorToken, {
      capacity: 1,
      shows: [{ seats: 1, price: 100 }],
    })
    const [first, second] = (await joinInTurn(concertId, 2)) as [Fan, Fan]
    await first.charge(100)
    const held = await first.hold(showIds[0]!, [1])
    // While the last seat is only held, it may become free again.
    expect(await (await Fan.signUp(one)).join(concertId)).toMatchObject({
      status: 201,
      body: { status: 'waiting' },
    })
    await expect
      .poll(async () => (await second.place()).body, patiently)
      .toMatchObject({ status: 'waiting', seatsLeft: 0 })

    // Paused, so that nobody slips in between the last payment and the next look.
    await changeQueue(concertId, { paused: true })
    for (const client of [one, two]) {
      await expect
        .poll(async () => (await client.call('GET', `/v1/concerts/${concertId}/queue`)).body, patiently)
        .toMatchObject({ paused: true })
    }
    expect((await first.pay(held.body['reservationId'])).status).toBe(201)
    expect(await (await Fan.signUp(two)).join(concertId)).toMatchObject({
      status: 409,
      body: { code: 'sold-out' },
    })
    for (const client of [one, two]) {
      await expect
        .poll(async () => (await second.through(client).place()).body, patiently)
        .toMatchObject({ status: 'ended', reason: 'sold-out' })
    }
    expect((await second.join(concertId)).body).toMatchObject({ code: 'sold-out' })
  })
})

describe('the guard', () => {
  const wait = { capacity: 1 }

  /** Every call that only an admitted fan may make. */
  function calls(fan: Fan, concertId: number, showId: number, headers: Headers): Promise<Answer>[] {
    return [
      fan.client.call('GET', `/v1/concerts/${concertId}/shows`, headers),
      fan.client.call('GET', `/v1/shows/${showId}/seats`, headers),
      fan.client.call('POST', '/v1/reservations', headers, { showId, seats: [1] }),
      fan.client.call('POST', '/v1/payments', headers, { reservationId: randomUUID() }),
    ]
  }
  const refusal = (status: number, code: string, more = {}) =>
    Array.from({ length: 4 }, () =>
      expect.objectContaining({ status, body: expect.objectContaining({ code, ...more }) }),
    )

  test('refuses who does not say who they are', async () => {
    const { concertId, showIds } = await createConcert(one, operatorToken, wait)
    const [first] = (await joinInTurn(concertId, 1)) as [Fan]
    const forged = forge(first.accessToken)
    for (const headers of [
      { 'queue-token': first.queueToken },
      { 'queue-token': first.queueToken, authorization: `Bearer ${forged}` },
      { 'queue-token': first.queueToken, authorization: `Basic ${first.accessToken}` },
      { 'queue-token': first.queueToken, authorization: `Bearer ${first.queueToken}` },
    ]) {
      expect(await Promise.all(calls(first, concertId, showIds[0]!, headers))).toEqual(
        refusal(401, 'unauthenticated'),
      )
    }
  })

  test('refuses who has no proof of a place, a forged one or another fan’s', async () => {
    const { concertId, showIds } = await createConcert(one, operatorToken)
    const [first, second] = (await joinInTurn(concertId, 2)) as [Fan, Fan]
    const place = { concertId, userId: second.userId, number: 1 }
    for (const queueToken of [
      undefined,
      '',
      'nonsense',
      first.queueToken,
      second.accessToken,
      forge(second.queueToken),
      queueTokens('some other secret, long enough to be one too').sign(place),
    ]) {
      const headers = { ...second.access, ...(queueToken === undefined ? {} : { 'queue-token': queueToken }) }
      expect(await Promise.all(calls(second, concertId, showIds[0]!, headers))).toEqual(
        refusal(401, 'queue-token-invalid'),
      )
    }
  })

  test('refuses who waits, and says how many are ahead', async () => {
    const { concertId, showIds } = await createConcert(one, operatorToken, wait)
    const fans = await joinInTurn(concertId, 4)
    const last = fans.at(-1)!
    expect(await Promise.all(calls(last, concertId, showIds[0]!, last.both))).toEqual(
      refusal(403, 'not-admitted', { ahead: 2 }),
    )
  })

  test('refuses whose session is over, and says why', async () => {
    const { concertId, showIds } = await createConcert(one, operatorToken)
    const [first] = (await joinInTurn(concertId, 1)) as [Fan]
    await first.leave()
    expect(await Promise.all(calls(first, concertId, showIds[0]!, first.both))).toEqual(
      refusal(403, 'session-ended', { reason: 'left' }),
    )
  })

  test('refuses who has a place elsewhere', async () => {
    const here = await createConcert(one, operatorToken)
    const elsewhere = await createConcert(one, operatorToken)
    const [fan] = (await joinInTurn(here.concertId, 1)) as [Fan]
    const answers = await Promise.all(calls(fan, elsewhere.concertId, elsewhere.showIds[0]!, fan.both))
    expect(answers.slice(0, 3)).toEqual(refusal(403, 'queue-token-wrong-concert').slice(0, 3))
    // What is held there cannot be paid from here either.
    await fan.charge(50_000)
    const held = await fan.hold(here.showIds[0]!, [1])
    await fan.join(elsewhere.concertId)
    expect(await fan.pay(held.body['reservationId'])).toMatchObject({
      status: 403,
      body: { code: 'queue-token-wrong-concert' },
    })
  })

  test('lets an admitted fan in through every instance', async () => {
    const { concertId, showIds } = await createConcert(one, operatorToken)
    const [fan] = (await joinInTurn(concertId, 1)) as [Fan]
    for (const client of [one, two]) {
      const [shows, seats] = await Promise.all(
        calls(fan.through(client), concertId, showIds[0]!, fan.both).slice(0, 2),
      )
      expect([shows?.status, seats?.status]).toEqual([200, 200])
    }
  })
})

describe('the operator', () => {
  test('pauses a line, which then takes fans and lets nobody in, and opens it again', async () => {
    const { concertId } = await createConcert(one, operatorToken)
    expect(await changeQueue(concertId, { paused: true })).toMatchObject({
      status: 200,
      body: { concertId, paused: true, capacity: 1_000_000, ratePerSecond: 1_000_000 },
    })
    for (const client of [one, two]) {
      await expect
        .poll(async () => (await client.call('GET', `/v1/concerts/${concertId}/queue`)).body, patiently)
        .toMatchObject({ paused: true, serving: 0 })
    }
    const fans = [...(await joinInTurn(concertId, 2)), ...(await joinInTurn(concertId, 1, two))]
    expect(await Promise.all(fans.map(statusOf))).toEqual(['waiting', 'waiting', 'waiting'])

    await changeQueue(concertId, { paused: false })
    await expect
      .poll(() => Promise.all(fans.map(statusOf)), patiently)
      .toEqual(['active', 'active', 'active'])
  })

  test('raises the capacity while fans wait, and lowers it without turning anyone out', async () => {
    await using fresh = await freshDatabase()
    await using service = await startService(fresh.url)
    const client = new Client(service.url)
    const { concertId } = await createConcert(client, operatorToken, { capacity: 1 })
    const other = await createConcert(client, operatorToken, { capacity: 1 })
    const fans = await joinInTurn(concertId, 5, client)
    const [first, second] = (await joinInTurn(other.concertId, 2, client)) as [Fan, Fan]
    const statuses = () => Promise.all(fans.map(statusOf))
    const change = { capacity: 3, ratePerSecond: 77.5 }
    expect(await changeQueue(concertId, change, operator, client)).toMatchObject({
      body: { paused: false, ...change },
    })
    await expect.poll(statuses, patiently).toEqual(['active', 'active', 'active', 'waiting', 'waiting'])

    await changeQueue(concertId, { capacity: 2 }, operator, client)
    // The step of admission that may have begun before the change is over once it has moved another line.
    await first.leave()
    await expect.poll(() => statusOf(second), patiently).toBe('active')
    expect(await statuses()).toEqual(['active', 'active', 'active', 'waiting', 'waiting'])
    await fans[0]!.leave()
    await fans[1]!.leave()
    await expect.poll(statuses, patiently).toEqual(['ended', 'ended', 'active', 'active', 'waiting'])
    await client.close()
  })

  test('is the only one who may, and must say something that makes sense', async () => {
    const { concertId } = await createConcert(one, operatorToken)
    const fan = await Fan.signUp(one)
    expect(await changeQueue(concertId, { paused: true }, {})).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    })
    expect(await changeQueue(concertId, { paused: true }, fan.access)).toMatchObject({
      status: 403,
      body: { code: 'operator-only' },
    })
    for (const nonsense of [
      {},
      { paused: 'yes' },
      { paused: null },
      { capacity: 0 },
      { capacity: 1.5 },
      { capacity: 1_000_001 },
      { ratePerSecond: 0 },
      { ratePerSecond: -1 },
      { speed: 3 },
    ]) {
      expect(await changeQueue(concertId, nonsense)).toMatchObject({
        status: 400,
        body: { code: 'invalid-request' },
      })
    }
    for (const unknown of [0, 999_999, 2_147_483_648]) {
      expect((await changeQueue(unknown, { paused: true })).status).toBe(404)
    }
  })
})

describe('the public state of a line', () => {
  test('needs no token, may be kept by any cache for a second, and is the same everywhere', async () => {
    const { concertId } = await createConcert(one, operatorToken, { capacity: 2, shows: [{ seats: 9 }] })
    const state = (client: Client) => client.call('GET', `/v1/concerts/${concertId}/queue`)
    expect((await state(two)).body).toMatchObject({ serving: 0, issued: 0, seatsLeft: 9, paused: false })
    await joinInTurn(concertId, 3)
    for (const client of [one, two]) {
      await expect
        .poll(async () => (await state(client)).body, patiently)
        .toMatchObject({
          serving: 2,
          issued: 3,
          seatsLeft: 9,
          admittedPerSecond: expect.any(Number),
        })
    }
    expect((await state(one)).headers['cache-control']).toBe('public, max-age=1')
    expect(Object.keys((await state(one)).body).toSorted()).toEqual([
      'admittedPerSecond',
      'issued',
      'paused',
      'seatsLeft',
      'serving',
    ])
  })
})
