import { createHmac } from 'node:crypto'
import { Pool } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessTokens } from '../src/users/access-token.ts'
import { queueTokens } from '../src/queue/queue-token.ts'
import { Client, createConcert, Fan, type Headers } from './client.ts'
import {
  faultOf,
  fits,
  readOperations,
  requestOf,
  send,
  type Operation,
  type Sent,
  type Values,
} from './contract.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { sql } from '../src/platform/postgres/sql.ts'
import { operatorToken, startService, type TestService } from './service.ts'

const tokenSecret = 'a secret of the tests, long enough to be one'

let database: TestDatabase
let service: TestService
let client: Client
let pool: Pool
let operations: Operation[]
let sale: { concertId: number; showId: number; deadLetterId: number }

beforeAll(async () => {
  database = await freshDatabase()
  service = await startService(database.url, { TOKEN_SECRET: tokenSecret })
  client = new Client(service.url)
  pool = new Pool(service.url, { connections: 16 })
  operations = await readOperations(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken, { shows: [{ seats: 5_000 }] })
  const event = {
    id: '019abf6e-5c1a-7c3e-9f0e-3d5f6a7b8c9d',
    type: 'reservation.held',
    subject: 'nothing',
    time: '2027-01-01T11:00:00Z',
    data: { heldUntil: '2027-01-01T11:05:00Z' },
  }
  const [letter] = await database.query<{ id: number }>(sql`
    insert into dead_letters (consumer, event_id, event, error, attempts)
    values ('queue-sessions', ${event.id}, ${JSON.stringify(event)}::jsonb, 'was down', 5) returning id`)
  sale = { concertId, showId: showIds[0]!, deadLetterId: letter!.id }
})

afterAll(async () => {
  await pool.destroy()
  await client.close()
  await service.close()
  await database[Symbol.asyncDispose]()
})

/** Above what the fuzz asks for by number. */
let nextSeat = 1_000

/** A fan inside, with a payment and a hold, and what a request of theirs names. */
async function fanInside(): Promise<{ fan: Fan; values: Values; tokens: Record<string, Headers> }> {
  // The call that changes a line changes this one, too.
  const open = { paused: false, capacity: 1_000_000, ratePerSecond: 1_000_000 }
  const asOperator = { authorization: `Bearer ${operatorToken}` }
  await client.call('PATCH', `/v1/operator/concerts/${sale.concertId}/queue`, asOperator, open)
  const fan = await Fan.signUp(client)
  await fan.charge(1_000_000)
  await fan.join(sale.concertId)
  const paid = await fan.pay((await fan.hold(sale.showId, [nextSeat++])).body['reservationId'])
  await fan.join(sale.concertId)
  const held = await fan.hold(sale.showId, [nextSeat++])
  return {
    fan,
    values: {
      ...sale,
      userId: fan.userId,
      reservationId: held.body['reservationId'],
      paymentId: paid.body['paymentId'],
    },
    tokens: {
      accessToken: fan.access,
      queueToken: { 'queue-token': fan.queueToken },
      operatorToken: asOperator,
    },
  }
}

type Case = {
  what: string
  sent: Sent
  /** The codes or statuses it may have besides those documented. */ must?: RegExp
}

/** Sends all, some at a time, and tells which answers broke the contract. */
async function faultsOf(operation: Operation, cases: Case[]): Promise<string[]> {
  const faults: string[] = []
  const queue = [...cases]
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const received = await send(pool, next.sent)
      const code = received.status < 400 ? '' : ((JSON.parse(received.text || '{}').code as string) ?? '')
      const outcome = `${received.status} ${code}`.trim()
      const fault =
        faultOf(operation, received) ??
        (next.must && !next.must.test(outcome) ? `is ${outcome} and not ${next.must}` : undefined)
      if (fault) faults.push(`${operation.name} with ${next.what} ${fault}`)
    }
  }
  await Promise.all(Array.from({ length: 16 }, work))
  return faults
}

const invalid = /^400 (invalid-request|invalid-amount)$/
const refused = /^4/

const listOf = (text: string): string[] => text.trim().split(/ {2,}|\n */)

/** JSON texts that are not what most fields take; some are no value that JavaScript keeps. Two spaces lie between. */
const wrongJson = listOf(String.raw`
  null  true  false  0  -1  -0  1.5  1e2  1e400  -1e400  2147483648  9007199254740993
  ""  " "  "1"  "true"  "null"  "\u0000"  "a\u0000b"  "\ud800"  "\u202e"  "'; drop table users"
  "2026-02-30T00:00:00Z"  "2026-06-30T23:59:60Z"  "9999-12-31T23:59:59-23:59"  "0000-01-01T00:00:00+23:59"
  "00000000-0000-0000-0000-000000000000"  "${'a'.repeat(5_000)}"  "${'😀'.repeat(150)}"
  []  [[]]  [null]  [1,1]  [1e2]  {}  {"a":{}}  [${'1,'.repeat(500)}1]`)

const wrongText = [
  '',
  ...listOf(`
    abc  0  -1  -0  +1  1.0  1e2  0x1  01  1,2  %201  1%20  2147483648  9007199254740993  99999999999999999999
    null  undefined  true  NaN  []  %00  1%00  %7B%7D  ..%2f  __proto__  constructor  '%20or%201=1
    %F0%9F%98%80  %ff  %c0%80  %zz  %  ${'a'.repeat(150)}  2026-02-30  0000-01-01
    00000000-0000-0000-0000-000000000000  %7B019abf6e-5c1a-7c3e-9f0e-3d5f6a7b8c9d%7D`),
]

/** The body with one value replaced by a text, at every place that it has, and with a field missing or too many. */
function mutateBody(example: unknown): { what: string; text: string }[] {
  const marker = '"\u2042"'
  const mutations: { what: string; text: string }[] = []
  const around = (value: unknown, path: (string | number)[], rebuild: (inner: unknown) => unknown): void => {
    const frame = JSON.stringify(rebuild('\u2042'))
    const at = path.join('.') || 'the body'
    for (const text of wrongJson)
      mutations.push({ what: `${at} = ${text.slice(0, 60)}`, text: frame.replace(marker, () => text) })
    if (Array.isArray(value)) {
      value.forEach((item, index) =>
        around(item, [...path, index], (inner) => rebuild(value.with(index, inner))),
      )
    } else if (typeof value === 'object' && value !== null) {
      const inside = JSON.stringify(value).slice(1, -1)
      const comma = inside ? ',' : ''
      for (const extra of [
        '"nothing":1',
        '"__proto__":{"admin":true}',
        '"constructor":{"prototype":{}}',
        '"toString":1',
      ]) {
        mutations.push({
          what: `${at} with ${extra}`,
          text: frame.replace(marker, () => `{${inside}${comma}${extra}}`),
        })
      }
      for (const [name, inner] of Object.entries(value)) {
        const { [name]: _, ...others } = value as Record<string, unknown>
        mutations.push({ what: `${at} without ${name}`, text: JSON.stringify(rebuild(others)) })
        around(inner, [...path, name], (within) => rebuild({ ...value, [name]: within }))
      }
    }
  }
  around(example, [], (inner) => inner)
  return mutations
}

/** Whether the document would let this text pass as the body of this call; `null` is as good as none. */
function isDocumented(operation: Operation, text: string): boolean {
  if (text === 'null' && operation.body?.required === false) return true
  try {
    return operation.body !== undefined && fits(operation.body.schema, JSON.parse(text))
  } catch {
    return false
  }
}

function bodyCases(operation: Operation, valid: Sent): Case[] {
  const { body } = operation
  const withBody = (what: string, text: string | Buffer, must?: RegExp, type = 'application/json'): Case => ({
    what,
    sent: { ...valid, headers: { ...valid.headers, 'content-type': type }, body: text },
    ...(must ? { must } : {}),
  })
  if (!body) return operation.method === 'GET' ? [] : [withBody('a body that is no JSON', '{', invalid)]
  const text = String(valid.body)
  const empty = body.required ? invalid : undefined
  return [
    ...mutateBody(JSON.parse(text)).map((mutation) =>
      withBody(mutation.what, mutation.text, isDocumented(operation, mutation.text) ? undefined : invalid),
    ),
    withBody('an empty body', '', empty),
    {
      what: 'no body',
      sent: { method: valid.method, path: valid.path, headers: valid.headers },
      ...(empty ? { must: empty } : {}),
    },
    withBody('half a body', text.slice(0, -1), invalid),
    withBody('two bodies', text + text, invalid),
    withBody('a byte order mark', `\ufeff${text}`),
    withBody('bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), invalid),
    withBody('deep arrays', '['.repeat(5_000) + ']'.repeat(5_000), invalid),
    withBody('deep objects', '{"a":'.repeat(2_500) + '1' + '}'.repeat(2_500), invalid),
    withBody('a form', 'a=1', /^415/, 'application/x-www-form-urlencoded'),
    withBody('a text', text, /^415/, 'text/plain'),
    withBody('XML', '<a/>', /^415/, 'application/xml'),
    withBody('parts', text, /^415/, 'multipart/form-data; boundary=x'),
    withBody('a type that is none', text, /^415/, 'nonsense'),
    withBody('its charset', text, /^(2|4)/, 'application/json; charset=utf-8'),
    withBody('too much', `{"title":"${'a'.repeat(9 * 1024 * 1024)}"}`, /^413/),
  ]
}

function parameterCases(operation: Operation, valid: Sent, values: Values): Case[] {
  const withPath = (what: string, path: string, must?: RegExp): Case => ({
    what,
    sent: { ...valid, path },
    ...(must ? { must } : {}),
  })
  const cases = [
    withPath('an unknown parameter', `${valid.path}?nothing=1`, /^400 invalid-request/),
    withPath('a parameter of the prototype', `${valid.path}?__proto__=1`, /^400 invalid-request/),
    withPath('a parameter without a name', `${valid.path}?=1`, /^400 invalid-request/),
  ]
  for (const { in: place, name } of operation.parameters) {
    if (place === 'path') {
      for (const text of wrongText) {
        const { path } = requestOf(operation, { ...values, [name]: text }, {})
        cases.push(withPath(`${name} = ${text.slice(0, 60)}`, path, refused))
      }
    }
    if (place === 'query') {
      for (const text of wrongText)
        cases.push(withPath(`${name} = ${text.slice(0, 60)}`, `${valid.path}?${name}=${text}`))
      for (const cursor of forgedCursors)
        cases.push(withPath(`${name} = ${cursor}`, `${valid.path}?${name}=${encode(cursor)}`))
      cases.push(withPath(`${name} twice`, `${valid.path}?${name}=1&${name}=2`, /^400 invalid-request/))
    }
    if (name === 'idempotency-key') {
      for (const key of ['', ' ', 'two words', 'a'.repeat(65), 'schlüssel', 'a\tb']) {
        const headers = { ...valid.headers, [name]: key }
        cases.push({ what: `${name} = ${key}`, sent: { ...valid, headers }, must: /^400 invalid-request/ })
      }
    }
  }
  return cases
}

const encode = (text: string): string => Buffer.from(text).toString('base64url')

/** Forms that cursors have, with values that no list ever gave. */
const forgedCursors = listOf(`
  []  [null]  [1]  ["1"]  [1.5]  [-1]  [1e400]  [9007199254740991]  [9007199254740993]  {}  "a"  [[1]]  null
  [1,2]  [253402300800000,1]  [-62135596800001,1]  [8640000000000001,1]  [0,9007199254740991]
  ["2026-13-45T99:99:99Z",1]  ["019abf6e-5c1a-7c3e-9f0e-3d5f6a7b8c9d"]  ["019ABF6E-5C1A-7C3E-9F0E-3D5F6A7B8C9D"]`)

function signed(header: object, payload: object, secret: string): string {
  const content = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(payload))}`
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`
}

function authCases(operation: Operation, valid: Sent, { fan, other }: { fan: Fan; other: Fan }): Case[] {
  const cases: Case[] = []
  const foreign = 'another secret, as long as the one of the service'
  const [head, payload, signature] = fan.accessToken.split('.') as [string, string, string]
  const claims = { sub: fan.userId, iss: 'frontrow', exp: 4_102_444_800 }
  const accessTokensThatAreNone = [
    ...listOf(
      `x  a.b.c  ..  ${head}.${payload}.  ${head}.${payload}.${signature.toLowerCase()}  ${fan.accessToken}x`,
    ),
    '',
    `${head}.${encode(JSON.stringify({ ...claims, sub: other.userId }))}.${signature}`,
    `${encode('{"alg":"none"}')}.${payload}.`,
    signed({ alg: 'HS256' }, claims, tokenSecret),
    accessTokens(foreign, 3600).sign(fan.userId).accessToken,
    accessTokens(tokenSecret, -60).sign(fan.userId).accessToken,
    fan.queueToken,
    'a'.repeat(8_000),
  ]
  const refuse = (what: string, headers: Headers, must: RegExp) =>
    cases.push({ what, sent: { ...valid, headers: { ...valid.headers, ...headers } }, must })

  const bearer = operation.security.find((scheme) => scheme === 'accessToken' || scheme === 'operatorToken')
  if (bearer) {
    const { authorization: _, ...without } = valid.headers
    cases.push({ what: 'no token', sent: { ...valid, headers: without }, must: /^401 unauthenticated/ })
    for (const token of accessTokensThatAreNone) {
      refuse(`the token ${token.slice(0, 200)}`, { authorization: `Bearer ${token}` }, /^401 unauthenticated/)
    }
    for (const text of [
      'Bearer',
      `Basic ${fan.accessToken}`,
      fan.accessToken,
      `Bearer ${fan.accessToken} x`,
    ]) {
      refuse(`Authorization: ${text.slice(0, 20)}`, { authorization: text }, /^401 unauthenticated/)
    }
  }
  if (bearer === 'operatorToken') refuse('a fan’s token', fan.access, /^403 operator-only/)
  if (bearer === 'accessToken')
    refuse('the operator’s token', { authorization: `Bearer ${operatorToken}` }, /^401 unauthenticated/)

  if (operation.security.includes('queueToken')) {
    const { 'queue-token': _, ...without } = valid.headers
    const place = { concertId: sale.concertId, userId: fan.userId, number: 1 }
    const places = [
      ...listOf(`x  a.b.c  ${fan.accessToken}  ${fan.queueToken}x  ${'a'.repeat(8_000)}`),
      '',
      queueTokens(foreign).sign(place),
      signed({ alg: 'none' }, { sub: fan.userId, concert: sale.concertId, number: 1 }, tokenSecret),
    ]
    cases.push({ what: 'no place', sent: { ...valid, headers: without }, must: /^401 queue-token-invalid/ })
    for (const token of places) {
      refuse(`the place ${token.slice(0, 200)}`, { 'queue-token': token }, /^401 queue-token-invalid/)
    }
    if (bearer) refuse('another’s place', { 'queue-token': other.queueToken }, /^401 queue-token-invalid/)
  }
  return cases
}

test('every call answers its example as its document says', async () => {
  for (const operation of operations) {
    const { values, tokens } = await fanInside()
    const sent = requestOf(operation, values, tokens)
    expect(await faultsOf(operation, [{ what: 'its example', sent, must: /^20\d$/ }])).toEqual([])
  }
})

test('no field of a body, no parameter and no header that is wrong gets more than the refusal it deserves', async () => {
  const faults: string[] = []
  let count = 0
  for (const operation of operations) {
    const { values, tokens } = await fanInside()
    const valid = requestOf(operation, values, tokens)
    const cases = [...parameterCases(operation, valid, values), ...bodyCases(operation, valid)]
    count += cases.length
    faults.push(...(await faultsOf(operation, cases)))
  }
  expect(faults).toEqual([])
  expect(count).toBeGreaterThan(1_500)
})

test('a token that is missing, forged, expired, foreign, of another kind or another’s lets nobody in', async () => {
  const { fan: other } = await fanInside()
  for (const operation of operations.filter(({ security }) => security.length > 0)) {
    const { fan, values, tokens } = await fanInside()
    const valid = requestOf(operation, values, tokens)
    expect(await faultsOf(operation, authCases(operation, valid, { fan, other }))).toEqual([])
  }
})

test('after all of that every promise still holds', async () => {
  const { body } = await client.call('GET', '/v1/operator/invariants', {
    authorization: `Bearer ${operatorToken}`,
  })
  expect(body['invariants'].filter((invariant: { holds: boolean }) => !invariant.holds)).toEqual([])
})
