import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, createConcert, Fan, type Answer } from '../../test/client.ts'
import { freshDatabase, type TestDatabase } from '../../test/database.ts'
import { operatorToken, startService, type TestService } from '../../test/service.ts'
import { createConcert as insertConcert } from '../operator/create-concert.ts'

const patiently = { interval: 20, timeout: 10_000 }
const dayMs = 86_400_000

let database: TestDatabase
let service: TestService
let client: Client

beforeAll(async () => {
  database = await freshDatabase()
  service = await startService(database.url)
  client = new Client(service.url)
})

afterAll(async () => {
  await client.close()
  await service.close()
  await database[Symbol.asyncDispose]()
})

type Wish = { title?: string; artist?: string; venue?: string; opensInDays?: number; shows?: string[] }

/** A concert of that title, with shows on those days of 2040. */
function addConcert({ title = 'x', artist = 'y', venue = 'z', opensInDays = -1, shows = ['01-01'] }: Wish) {
  return insertConcert(database, {
    title,
    artist,
    venue,
    saleOpensAt: new Date(Date.now() + opensInDays * dayMs),
    saleClosesAt: new Date('2041-01-01T00:00:00Z'),
    queue: { capacity: undefined, ratePerSecond: undefined },
    shows: shows.map((show) => ({
      startsAt: new Date(show.includes('T') ? `2040-${show}` : `2040-${show}T10:00:00Z`),
      seats: [{ from: 1, to: 2, price: 100 }],
    })),
  })
}

const list = (query: Record<string, string>): Promise<Answer> =>
  client.call('GET', `/v1/concerts?${new URLSearchParams(query).toString()}`)
const idsOf = ({ body }: Answer): number[] =>
  body['concerts'].map((concert: { concertId: number }) => concert.concertId)

describe('searching', () => {
  const titles = [
    '100% Live',
    '100 Live',
    'snake_case',
    'snake case',
    'back\\slash',
    "Rock 'n' Roll",
    'a "quoted" name',
    '콘서트 2040',
    'ÉTOILE',
  ]
  const ids = new Map<string, number>()
  beforeAll(async () => {
    for (const title of titles)
      ids.set(title, await addConcert({ title, artist: 'The Searchers', venue: 'Hall' }))
  })

  test.for([
    ['100%', ['100% Live']],
    ['%', ['100% Live']],
    ['_', ['snake_case']],
    ['snake_', ['snake_case']],
    ['\\', ['back\\slash']],
    ["'n'", ["Rock 'n' Roll"]],
    ["'; drop table concerts; --", []],
    ['"quoted"', ['a "quoted" name']],
    ['콘서트', ['콘서트 2040']],
    ['étoile', ['ÉTOILE']],
    ['ROCK', ["Rock 'n' Roll"]],
    ['100 L', ['100 Live']],
    ['nothing like it', []],
  ] as const)('for %s finds just what has it in its name', async ([q, found]) => {
    expect(new Set(idsOf(await list({ q })))).toEqual(new Set(found.map((title) => ids.get(title))))
  })

  test('looks at artists and venues, too', async () => {
    const other = await addConcert({ title: 'plain', artist: 'Ünïque Band', venue: 'The Uncommon' })
    expect(idsOf(await list({ q: 'ünïque' }))).toEqual([other])
    expect(idsOf(await list({ q: 'uncommon' }))).toEqual([other])
    expect(idsOf(await list({ q: 'searchers' }))).toHaveLength(titles.length)
  })
})

describe('dates', () => {
  test('from is the first day meant, to the first one not, and one show within is enough', async () => {
    const [march, both, april] = [
      await addConcert({ title: 'dated', shows: ['03-10'] }),
      await addConcert({ title: 'dated', shows: ['03-31T23:59:59.999Z', '04-01T00:00:00Z'] }),
      await addConcert({ title: 'dated', shows: ['04-30'] }),
    ]
    const within = async (query: Record<string, string>) =>
      idsOf(await list({ q: 'dated', ...query })).toSorted((a, b) => a - b)
    expect(await within({ from: '2040-03-01', to: '2040-04-01' })).toEqual([march, both])
    expect(await within({ from: '2040-04-01' })).toEqual([both, april])
    expect(await within({ to: '2040-03-31' })).toEqual([march])
    expect(await within({ from: '2040-04-01', to: '2040-04-01' })).toEqual([])
    expect(await within({ from: '2040-03-31T23:59:59.999Z', to: '2040-04-01T00:00:00Z' })).toEqual([both])
    expect(await within({ from: '2040-04-01T09:00:00+09:00', to: '2040-04-01T09:00:00.001+09:00' })).toEqual([
      both,
    ])
    expect(await within({ from: '2040-05-01', to: '2040-04-01' })).toEqual([])
    // A show on each side is no show between.
    const apart = await addConcert({ title: 'apart', shows: ['06-01', '08-01'] })
    expect(idsOf(await list({ q: 'apart', from: '2040-06-15', to: '2040-07-15' }))).toEqual([])
    expect(idsOf(await list({ q: 'apart' }))).toEqual([apart])
  })

  test('and whatever else is asked for must make sense', async () => {
    for (const query of [
      { from: 'tomorrow' },
      { from: '2040-02-30' },
      { to: '2040-13-01' },
      { from: '2040-01-01T25:00:00Z' },
      { from: '' },
      { q: '' },
      { q: 'a\u0000b' },
      { q: 'x'.repeat(201) },
      { limit: '0' },
      { limit: '51' },
      { limit: '1e1' },
      { status: 'on-sale' },
    ]) {
      const { status, body } = await list(query)
      expect([query, status, body['code']]).toEqual([query, 400, 'invalid-request'])
    }
    expect((await client.call('GET', '/v1/concerts?q=a&q=b')).status).toBe(400)
  })
})

describe('pages', () => {
  test('together are the whole list, once each, latest openings first, also of sales that open together', async () => {
    const opening = [-3, -1, -1, -1, -2, -1, -5]
    const added: number[] = []
    for (const opensInDays of opening) added.push(await addConcert({ title: 'paged', opensInDays }))
    const together = new Date(Date.now() - dayMs)
    const wish = { artist: 'y', venue: 'z', queue: { capacity: undefined, ratePerSecond: undefined } }
    for (let more = 0; more < 4; more++) {
      added.push(
        await insertConcert(database, {
          ...wish,
          title: 'paged',
          saleOpensAt: together,
          saleClosesAt: new Date('2041-01-01T00:00:00Z'),
          shows: [{ startsAt: new Date('2040-01-01T10:00:00Z'), seats: [{ from: 1, to: 1, price: 1 }] }],
        }),
      )
    }
    const seen: { concertId: number; saleOpensAt: string }[] = []
    let cursor: string | null = null
    do {
      const { body }: Answer = await list({ q: 'paged', limit: '2', ...(cursor ? { cursor } : {}) })
      expect(body['concerts'].length).toBeGreaterThan(0)
      seen.push(...body['concerts'])
      cursor = body['nextCursor']
    } while (cursor)
    expect(seen.map(({ concertId }) => concertId).toSorted((a, b) => a - b)).toEqual(added)
    const inOrder = seen.toSorted(
      (a, b) => Date.parse(b.saleOpensAt) - Date.parse(a.saleOpensAt) || b.concertId - a.concertId,
    )
    expect(seen).toEqual(inOrder)
  })

  test('a cursor that this list did not give is refused', async () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const cursor of [
      'nonsense',
      encode([]),
      encode(null),
      encode({ 0: 1, 1: 2, length: 2 }),
      encode([1]),
      encode(['2040-01-01T00:00:00Z', 1]),
      encode([1e300, 1]),
      encode([1, 1.5]),
      encode([1, null]),
      encode([1, 2, 3]),
      encode([1, '1; drop table concerts']),
    ]) {
      const { status, body } = await list({ cursor })
      expect([cursor, status, body['code']]).toEqual([cursor, 400, 'invalid-request'])
    }
    // In form and range it is one, whoever put it together.
    expect((await list({ cursor: encode([0, 9_007_199_254_740_991]) })).status).toBe(200)
  })
})

describe('a concert', () => {
  test('is upcoming, on sale, sold out or closed', async () => {
    const hour = (hours: number) => new Date(Date.now() + hours * 3_600_000)
    const [upcoming, onSale, closed] = [
      await createConcert(client, operatorToken, { saleOpensAt: hour(1) }),
      await createConcert(client, operatorToken, {
        shows: [
          { seats: 1, price: 5 },
          { seats: 2, price: 3 },
        ],
      }),
      await createConcert(client, operatorToken, { saleOpensAt: hour(-2), saleClosesAt: hour(-1) }),
    ]
    const read = async (concertId: number) => (await client.call('GET', `/v1/concerts/${concertId}`)).body
    expect((await read(upcoming.concertId))['status']).toBe('upcoming')
    expect((await read(closed.concertId))['status']).toBe('closed')
    expect(await read(onSale.concertId)).toMatchObject({
      concertId: onSale.concertId,
      title: 'A concert of the tests',
      status: 'on-sale',
      priceFrom: 3,
      priceTo: 5,
      seatsLeft: 3,
      shows: onSale.showIds.map((showId) => ({ showId, startsAt: expect.stringMatching(/Z$/) })),
    })

    const fan = await Fan.signUp(client)
    await fan.charge(100)
    for (const [showId, seats] of [
      [onSale.showIds[0]!, [1]],
      [onSale.showIds[1]!, [1, 2]],
    ] as const) {
      await fan.join(onSale.concertId)
      const held = await fan.hold(showId, [...seats])
      expect((await fan.pay(held.body['reservationId'])).status).toBe(201)
    }
    await expect
      .poll(() => read(onSale.concertId), patiently)
      .toMatchObject({ status: 'sold-out', seatsLeft: 0 })
    await expect
      .poll(async () => {
        const { body } = await list({ q: 'of the tests' })
        return body['concerts'].find(({ concertId }: { concertId: number }) => concertId === onSale.concertId)
      }, patiently)
      .toMatchObject({ status: 'sold-out', seatsLeft: 0, priceFrom: 3, priceTo: 5 })
  })

  test('can be read by anyone and kept by any cache for a second', async () => {
    const { concertId } = await createConcert(client, operatorToken)
    for (const path of ['/v1/concerts', `/v1/concerts/${concertId}`]) {
      expect(await client.call('GET', path)).toMatchObject({
        status: 200,
        headers: { 'cache-control': 'public, max-age=1' },
      })
    }
  })

  test('that does not exist is not found', async () => {
    for (const concertId of [0, -1, 999_999, 2_147_483_648, -9_007_199_254_740_991]) {
      expect(await client.call('GET', `/v1/concerts/${concertId}`)).toMatchObject({
        status: 404,
        body: { code: 'concert-not-found' },
      })
    }
  })
})
