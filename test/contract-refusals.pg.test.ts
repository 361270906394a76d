import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'
import { Pool } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from '../src/platform/postgres/sql.ts'
import { httpProblems } from '../src/platform/http/problem.ts'
import type { ProblemCode } from '../src/problems.ts'
import { Client, createConcert, Fan } from './client.ts'
import {
  faultOf,
  readOperations,
  refusalFault,
  requestOf,
  send,
  type Operation,
  type Received,
  type Sent,
  type Values,
} from './contract.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { operatorToken, startService, type TestService } from './service.ts'

const asOperator = { authorization: `Bearer ${operatorToken}` }
const hourMs = 3_600_000

let database: TestDatabase
let service: TestService
let withoutSignUp: TestService
let client: Client
let pool: Pool
let operations: Operation[]
let concerts: Record<
  'open' | 'other' | 'narrow' | 'soldOut' | 'upcoming' | 'closed',
  { concertId: number; showIds: number[] }
>

beforeAll(async () => {
  database = await freshDatabase()
  service = await startService(database.url)
  withoutSignUp = await startService(database.url, { SIGN_UP: 'off' })
  client = new Client(service.url)
  pool = new Pool(service.url)
  operations = await readOperations(service.url)
  const inAnHour = new Date(Date.now() + hourMs)
  concerts = {
    open: await createConcert(client, operatorToken, { shows: [{ seats: 5_000 }] }),
    other: await createConcert(client, operatorToken),
    narrow: await createConcert(client, operatorToken, { capacity: 1 }),
    soldOut: await createConcert(client, operatorToken, { shows: [{ seats: 1, price: 0 }] }),
    upcoming: await createConcert(client, operatorToken, { saleOpensAt: inAnHour }),
    closed: await createConcert(client, operatorToken, { saleClosesAt: new Date(Date.now() - 1) }),
  }
  const last = await fanInside('soldOut')
  await last.pay((await last.hold(concerts.soldOut.showIds[0]!, [1])).body['reservationId'])
})

afterAll(async () => {
  await pool.destroy()
  await client.close()
  await withoutSignUp.close()
  await service.close()
  await database[Symbol.asyncDispose]()
})

async function fanInside(concert: keyof typeof concerts): Promise<Fan> {
  const fan = await Fan.signUp(client)
  await fan.join(concerts[concert].concertId)
  return fan
}

/** Above those that the tests ask for by number. */
let nextSeat = 100

/** A fan inside who holds a seat of the open concert, and could pay it unless `won` is too little. */
async function fanWithHold(won = 1_000_000): Promise<{ fan: Fan; reservationId: string; seat: number }> {
  const fan = await fanInside('open')
  await fan.charge(won)
  const seat = nextSeat++
  const { body } = await fan.hold(concerts.open.showIds[0]!, [seat])
  return { fan, reservationId: body['reservationId'], seat }
}

async function fanWithPayment() {
  const { fan, reservationId, seat } = await fanWithHold()
  const { body } = await fan.pay(reservationId)
  await fan.join(concerts.open.concertId)
  return { fan, reservationId, seat, paymentId: body['paymentId'] as string }
}

async function expireHold(reservationId: string): Promise<void> {
  await database.query(sql`
    with due as (
      update reservations set held_until = now() - interval '1 second' where id = ${reservationId} returning id, held_until
    )
    update seats s set held_until = due.held_until from due where s.reservation_id = due.id`)
}

function operationOf(name: string): Operation {
  const operation = operations.find((candidate) => candidate.name === name)
  if (!operation) throw new Error(`${name} is not in the document`)
  return operation
}

/** A fan inside, and what a request of theirs can name. */
async function fanWithAll(): Promise<{ fan: Fan; values: Values }> {
  const { fan, paymentId } = await fanWithPayment()
  const [showId] = concerts.open.showIds as [number]
  const held = await fan.hold(showId, [nextSeat++])
  const reservationId: string = held.body['reservationId']
  const { concertId } = concerts.open
  return { fan, values: { concertId, showId, reservationId, paymentId, userId: fan.userId, deadLetterId: 1 } }
}

function requestAs(fan: Fan, operation: Operation, values: Values): Sent {
  return requestOf(operation, values, {
    accessToken: fan.access,
    queueToken: { 'queue-token': fan.queueToken },
    operatorToken: asOperator,
  })
}

const aNumber: unknown = expect.any(Number)
const aString: unknown = expect.any(String)

type Provocation = { code: ProblemCode; sent: Sent; url?: string; members?: object }

const without = ({ headers, ...sent }: Sent, name: string): Sent => ({
  ...sent,
  headers: Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name)),
})

/** What every call of a kind refuses, by the tokens that it takes. */
async function commonProvocations(operation: Operation): Promise<Provocation[]> {
  const { fan, values } = await fanWithAll()
  const valid = requestAs(fan, operation, values)
  const takes = new Set(operation.security)
  const provocations: Provocation[] = [
    {
      code: 'invalid-request',
      sent: { ...valid, path: `${valid.path}?nothing=1` },
      members: { faults: [{ field: 'querystring' }] },
    },
  ]
  if (takes.has('accessToken') || takes.has('operatorToken')) {
    provocations.push({ code: 'unauthenticated', sent: without(valid, 'authorization') })
  }
  if (takes.has('operatorToken')) {
    provocations.push({
      code: 'operator-only',
      sent: { ...valid, headers: { ...valid.headers, ...fan.access } },
    })
  }
  if (takes.has('queueToken')) {
    provocations.push({ code: 'queue-token-invalid', sent: without(valid, 'queue-token') })
  }
  if (takes.has('queueToken') && takes.has('accessToken')) {
    await fanInside('narrow')
    const waiting = await fanInside('narrow')
    const { concertId, showIds } = concerts.narrow
    const left = await fanInside('open')
    await left.leave()
    const elsewhere = fan.through(client)
    await elsewhere.join(concerts.other.concertId)
    provocations.push(
      {
        code: 'not-admitted',
        sent: requestAs(waiting, operation, { ...values, concertId, showId: showIds[0]! }),
        members: { ahead: aNumber },
      },
      { code: 'session-ended', sent: requestAs(left, operation, values), members: { reason: 'left' } },
      { code: 'queue-token-wrong-concert', sent: requestAs(elsewhere, operation, values) },
    )
  }
  return provocations
}

const nowhere = '019abf6e-5c1a-7c3e-9f0e-3d5f6a7b8c9d'
const json = { 'content-type': 'application/json' }

/** The refusals that a call has beside the common ones, and what provokes them. */
const ownProvocations: Record<string, () => Promise<Provocation[]>> = {
  'POST /v1/users': async () => [
    {
      code: 'sign-up-off',
      url: withoutSignUp.url,
      sent: { method: 'POST', path: '/v1/users', headers: json, body: '{"name":"a"}' },
    },
  ],
  'GET /v1/concerts/{concertId}': async () => [
    { code: 'concert-not-found', sent: { method: 'GET', path: '/v1/concerts/999999', headers: {} } },
  ],
  'GET /v1/concerts/{concertId}/queue': async () => [
    { code: 'concert-not-found', sent: { method: 'GET', path: '/v1/concerts/999999/queue', headers: {} } },
  ],
  'POST /v1/concerts/{concertId}/queue': async () => {
    const { access: headers } = await Fan.signUp(client)
    const join = (concertId: number): Sent => ({
      method: 'POST',
      path: `/v1/concerts/${concertId}/queue`,
      headers,
    })
    return [
      { code: 'concert-not-found', sent: join(999_999) },
      {
        code: 'sale-not-open',
        sent: join(concerts.upcoming.concertId),
        members: { saleOpensAt: aString },
      },
      { code: 'sale-closed', sent: join(concerts.closed.concertId) },
      { code: 'sold-out', sent: join(concerts.soldOut.concertId) },
    ]
  },
  'GET /v1/concerts/{concertId}/shows': async () => [
    {
      code: 'concert-not-found',
      sent: { method: 'GET', path: '/v1/concerts/999999/shows', headers: (await fanInside('open')).both },
    },
  ],
  'GET /v1/shows/{showId}/seats': async () => [
    {
      code: 'show-not-found',
      sent: { method: 'GET', path: '/v1/shows/999999/seats', headers: (await fanInside('open')).both },
    },
  ],
  'GET /v1/shows/{showId}/seats/events': async () => [
    {
      code: 'show-not-found',
      sent: { method: 'GET', path: '/v1/shows/999999/seats/events', headers: (await fanInside('open')).both },
    },
  ],
  'POST /v1/reservations': async () => {
    const { fan, seat } = await fanWithHold()
    const { seat: taken } = await fanWithHold()
    const show = concerts.open.showIds[0]!
    const hold = (showId: number, seats: number[], key?: string): Sent => ({
      method: 'POST',
      path: '/v1/reservations',
      headers: { ...fan.both, ...json, ...(key ? { 'idempotency-key': key } : {}) },
      body: JSON.stringify({ showId, seats }),
    })
    await fan.hold(show, [nextSeat++], 'once')
    return [
      { code: 'show-not-found', sent: hold(999_999, [1]) },
      { code: 'seat-not-found', sent: hold(show, [40, 5_001, 5_002]), members: { seats: [5_001, 5_002] } },
      {
        code: 'seat-taken',
        sent: hold(show, [taken, 40, seat]),
        members: { seats: [seat, taken].toSorted((a, b) => a - b) },
      },
      { code: 'too-many-seats', sent: hold(show, [41, 42, 43]), members: { limit: 4, have: 2 } },
      { code: 'too-many-seats', sent: hold(show, [41, 42, 43, 44, 45]), members: { limit: 4, have: 2 } },
      { code: 'idempotency-key-reused', sent: hold(show, [41], 'once') },
    ]
  },
  'GET /v1/reservations/{reservationId}': async () => {
    const { access: headers } = await Fan.signUp(client)
    const { reservationId: another } = await fanWithHold()
    return [another, nowhere].map((id) => ({
      code: 'reservation-not-found',
      sent: { method: 'GET', path: `/v1/reservations/${id}`, headers },
    }))
  },
  'DELETE /v1/reservations/{reservationId}': async () => {
    const { fan, reservationId: paid } = await fanWithPayment()
    const { reservationId: another } = await fanWithHold()
    const cancel = (id: string): Sent => ({
      method: 'DELETE',
      path: `/v1/reservations/${id}`,
      headers: fan.access,
    })
    return [
      { code: 'reservation-not-found', sent: cancel(another) },
      { code: 'reservation-not-found', sent: cancel(nowhere) },
      { code: 'not-held', sent: cancel(paid), members: { state: 'paid' } },
    ]
  },
  'POST /v1/payments': async () => {
    const pay = (fan: Fan, reservationId: string, key?: string): Sent => ({
      method: 'POST',
      path: '/v1/payments',
      headers: { ...fan.both, ...json, ...(key ? { 'idempotency-key': key } : {}) },
      body: JSON.stringify({ reservationId }),
    })
    const poor = await fanWithHold(9_999)
    const { reservationId: another } = await fanWithHold()
    const paid = await fanWithPayment()
    const cancelled = await fanWithHold()
    await cancelled.fan.cancel(cancelled.reservationId)
    const late = await fanWithHold()
    await expireHold(late.reservationId)
    const twice = await fanWithHold()
    await twice.fan.pay(nowhere, 'once')
    return [
      {
        code: 'insufficient-balance',
        sent: pay(poor.fan, poor.reservationId),
        members: { balance: 9_999, required: 10_000 },
      },
      { code: 'reservation-not-found', sent: pay(paid.fan, another) },
      { code: 'reservation-not-found', sent: pay(paid.fan, nowhere) },
      { code: 'already-paid', sent: pay(paid.fan, paid.reservationId) },
      {
        code: 'not-held',
        sent: pay(cancelled.fan, cancelled.reservationId),
        members: { state: 'cancelled' },
      },
      {
        code: 'hold-expired',
        sent: pay(late.fan, late.reservationId),
        members: { heldUntil: aString },
      },
      { code: 'idempotency-key-reused', sent: pay(twice.fan, twice.reservationId, 'once') },
    ]
  },
  'GET /v1/payments/{paymentId}': async () => {
    const { access: headers } = await Fan.signUp(client)
    const { paymentId: another } = await fanWithPayment()
    return [another, nowhere].map((id) => ({
      code: 'payment-not-found',
      sent: { method: 'GET', path: `/v1/payments/${id}`, headers },
    }))
  },
  'GET /v1/users/{userId}/balance': () => notYours('GET', 'balance'),
  'GET /v1/users/{userId}/balance/entries': () => notYours('GET', 'balance/entries'),
  'POST /v1/users/{userId}/balance/charges': async () => {
    const fan = await Fan.signUp(client)
    await fan.charge(1, 'once')
    const charge = (amount: unknown, key?: string): Sent => ({
      method: 'POST',
      path: `/v1/users/${fan.userId}/balance/charges`,
      headers: { ...fan.access, ...json, ...(key ? { 'idempotency-key': key } : {}) },
      body: JSON.stringify({ amount }),
    })
    return [
      ...(await notYours('POST', 'balance/charges', '{"amount":1}')),
      ...[0, -1, 0.5, 10_000_001, '1', null].map((amount): Provocation => ({
        code: 'invalid-amount',
        sent: charge(amount),
        members: { limit: 10_000_000 },
      })),
      { code: 'idempotency-key-reused', sent: charge(2, 'once') },
    ]
  },
  'PATCH /v1/operator/concerts/{concertId}/queue': async () => [
    {
      code: 'concert-not-found',
      sent: {
        method: 'PATCH',
        path: '/v1/operator/concerts/999999/queue',
        headers: { ...asOperator, ...json },
        body: '{"paused":true}',
      },
    },
  ],
  'GET /v1/operator/concerts/{concertId}/sales': async () => [
    {
      code: 'concert-not-found',
      sent: { method: 'GET', path: '/v1/operator/concerts/999999/sales', headers: asOperator },
    },
  ],
  'POST /v1/operator/dead-letters/{deadLetterId}/replay': async () => [
    {
      code: 'dead-letter-not-found',
      sent: { method: 'POST', path: '/v1/operator/dead-letters/999999/replay', headers: asOperator },
    },
  ],
}

async function notYours(method: string, what: string, body?: string): Promise<Provocation[]> {
  const [fan, another] = [await Fan.signUp(client), await Fan.signUp(client)]
  const path = `/v1/users/${another.userId}/${what}`
  const headers = { ...fan.access, ...(body ? json : {}) }
  return [{ code: 'not-yours', sent: { method, path, headers, ...(body ? { body } : {}) } }]
}

/** Refusals that say nothing of the one call that gives them. */
const anywhere = new Set([
  'payload-too-large',
  'unsupported-media-type',
  'too-many-requests',
  'internal',
  'unavailable',
])

function documentedCodes({ responses }: Operation): string[] {
  const examples = Object.values(responses).flatMap(({ content }) =>
    Object.keys(content?.['application/problem+json']?.examples ?? {}),
  )
  return [...new Set(examples)].filter((code) => !anywhere.has(code))
}

test('every call gives every refusal that its document names, in its words', async () => {
  for (const operation of operations) {
    const provocations = [
      ...(await commonProvocations(operation)),
      ...((await ownProvocations[operation.name]?.()) ?? []),
    ]
    for (const { code, sent, url, members = {} } of provocations) {
      const elsewhere = url ? new Pool(url) : undefined
      const received = await send(elsewhere ?? pool, sent)
      await elsewhere?.close()
      expect(faultOf(operation, received), `${operation.name} ${code}`).toBeUndefined()
      expect(JSON.parse(received.text), `${operation.name} ${JSON.stringify(sent)}`).toMatchObject({
        code,
        ...members,
      })
    }
    const provoked = new Set<string>(provocations.map(({ code }) => code))
    const unprovoked = documentedCodes(operation).filter((code) => !provoked.has(code))
    expect(unprovoked, `refusals of ${operation.name} that nothing provokes`).toEqual([])
  }
})

/** How an answer ended, in one word for the eye: `200`, `404 route-not-found`. */
function outcomeOf({ status, text: body }: Received): string {
  return body.startsWith('{"type":"urn:problem:') ? `${status} ${JSON.parse(body).code}` : `${status}`
}

test('HEAD answers as GET does, without a body; another method is no call', async () => {
  for (const [path, calls] of Map.groupBy(operations, (operation) => operation.path)) {
    const { fan, values } = await fanWithAll()
    const { body: _, ...valid } = without(requestAs(fan, calls[0]!, values), 'content-type')
    const get = calls.find((call) => call.method === 'GET')
    // A stream has no length to ask for.
    const mayAskHead = get && !get.responses['200']?.content?.['text/event-stream']
    const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'].filter(
      (method) => !calls.some((call) => call.method === method),
    )
    expect([path, outcomeOf(await send(pool, { ...valid, method: 'HEAD' }))]).toEqual([
      path,
      mayAskHead ? '200' : '404',
    ])
    for (const method of others) {
      const outcome = outcomeOf(await send(pool, { ...valid, method }))
      expect([method, path, outcome]).toEqual([method, path, '404 route-not-found'])
    }
  }
})

test.each(['', '/nothing', '/concerts/1/nothing', '/concerts/1/', '//concerts', '/Concerts', '/../v1'])(
  '/v1%s is no call',
  async (path) => {
    expect(outcomeOf(await send(pool, { method: 'GET', path: `/v1${path}`, headers: {} }))).toBe(
      '404 route-not-found',
    )
  },
)

/** What comes back for bytes as they are. */
async function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(service.url)
  const socket = createConnection(Number(port), hostname)
  socket.end(bytes)
  return text(socket)
}

test.each([
  ['words that are no HTTP', 'hello\r\n\r\n', 400],
  ['a method that is none', 'FETCH / HTTP/1.1\r\nhost: a\r\n\r\n', 400],
  ['a header without a name', 'GET /v1/concerts HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n', 400],
  ['a header with a NUL', 'GET /v1/concerts HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n', 400],
  [
    'two lengths',
    'POST /v1/users HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}',
    400,
  ],
  [
    'a length and chunks',
    'POST /v1/users HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  [
    'chunks that are none',
    'POST /v1/users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n',
    400,
  ],
  ['headers without an end', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ['an address without an end', `GET /v1/concerts?q=${'a'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
  ['a path that is none', 'GET /v1/concerts/%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n', 400],
])('%s is refused in the words of the table', async (_, bytes, status) => {
  const answer = await exchange(bytes)
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(head.toLowerCase()).toContain('content-type: application/problem+json')
  expect(refusalFault(status, JSON.parse(body))).toBeUndefined()
})

test('what any HTTP service refuses says so with what a client needs: when to come back, and how to sign in', async () => {
  const limited = await startService(database.url, { RATE_LIMITS: 'on' })
  const burst = new Pool(limited.url, { connections: 32 })
  const fan = await Fan.signUp(new Client(limited.url))
  const sent = { method: 'GET', path: `/v1/users/${fan.userId}/balance`, headers: fan.access }
  const answers = await Promise.all(Array.from({ length: 700 }, () => send(burst, sent)))
  const refused = answers.filter(({ status }) => status !== 200)
  expect(refused.length).toBeGreaterThan(0)
  for (const received of refused) {
    expect(faultOf(operationOf('GET /v1/users/{userId}/balance'), received)).toBeUndefined()
    expect(JSON.parse(received.text)).toMatchObject({
      code: 'too-many-requests',
      title: httpProblems['too-many-requests'].title,
    })
    expect(Number(received.headers['retry-after'])).toBeGreaterThan(0)
  }
  await burst.close()
  await limited.close()
  const { headers } = await send(pool, { method: 'GET', path: '/v1/payments', headers: {} })
  expect(headers['www-authenticate']).toBe('Bearer')
})
