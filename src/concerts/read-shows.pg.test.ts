import { expect, test } from 'vitest'
import { Client, createConcert, Fan, type Headers } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { operatorToken, startService } from '../../test/service.ts'

const patiently = { interval: 20, timeout: 10_000 }

test('a fan sees each date with what is left of it, and each seat with its price and state', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const created = await client.call(
    'POST',
    '/v1/operator/concerts',
    { authorization: `Bearer ${operatorToken}` },
    {
      title: 'Zones',
      artist: 'a',
      venue: 'v',
      saleOpensAt: '2026-01-01T00:00:00Z',
      saleClosesAt: '2090-01-01T00:00:00Z',
      shows: [
        { startsAt: '2090-02-02T10:00:00Z', seats: [{ from: 1, to: 2, price: 50 }] },
        {
          startsAt: '2090-02-01T10:00:00Z',
          seats: [
            { from: 101, to: 102, price: 30 },
            { from: 1, to: 2, price: 70 },
          ],
        },
      ],
    },
  )
  const { concertId } = created.body
  const [first, second] = created.body['shows'].map(({ showId }: { showId: number }) => showId)
  const fan = await Fan.signUp(client)
  const friend = await Fan.signUp(client)
  for (const each of [fan, friend]) {
    await each.join(concertId)
    await each.charge(1_000)
  }
  const sold = await friend.hold(first, [101])
  await friend.pay(sold.body['reservationId'])
  await fan.hold(first, [2])

  const shows = await client.call('GET', `/v1/concerts/${concertId}/shows`, fan.both)
  expect(shows).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
  expect(shows.body['shows']).toEqual([
    {
      showId: first,
      startsAt: '2090-02-01T10:00:00.000Z',
      seatsTotal: 4,
      seatsLeft: 2,
      priceFrom: 30,
      priceTo: 70,
    },
    {
      showId: second,
      startsAt: '2090-02-02T10:00:00.000Z',
      seatsTotal: 2,
      seatsLeft: 2,
      priceFrom: 50,
      priceTo: 50,
    },
  ])
  const seats = await client.call('GET', `/v1/shows/${first}/seats`, fan.both)
  expect(seats.body).toEqual({
    showId: first,
    seats: [
      { number: 1, price: 70, state: 'available' },
      { number: 2, price: 70, state: 'held' },
      { number: 101, price: 30, state: 'sold' },
      { number: 102, price: 30, state: 'available' },
    ],
  })
  for (const unknown of [0, -1, 999_999, 2_147_483_648, -9_007_199_254_740_991]) {
    expect(await client.call('GET', `/v1/shows/${unknown}/seats`, fan.both)).toMatchObject({
      status: 404,
      body: { code: 'show-not-found' },
    })
    expect(await client.call('GET', `/v1/concerts/${unknown}/shows`, fan.both)).toMatchObject({
      status: 404,
      body: { code: 'concert-not-found' },
    })
  }
  await client.close()
})

test('a seat map that has not changed is not sent again, by whichever instance, until it changes', async () => {
  await using database = await freshDatabase()
  await using one = await startService(database.url, { HOLD_SECONDS: '1' })
  await using two = await startService(database.url, { HOLD_SECONDS: '1' })
  const clients = [new Client(one.url), new Client(two.url)] as const
  const { concertId, showIds } = await createConcert(clients[0], operatorToken)
  const fan = await Fan.signUp(clients[0])
  await fan.join(concertId)
  const read = (client: Client, headers: Headers = {}) =>
    client.call('GET', `/v1/shows/${showIds[0]!}/seats`, { ...fan.both, ...headers })

  const first = await read(clients[0])
  expect(first).toMatchObject({ status: 200, headers: { 'cache-control': 'private, no-cache' } })
  const etag = String(first.headers['etag'])
  expect(etag).toMatch(/^"[\w-]+"$/)
  for (const client of clients) {
    for (const known of [etag, `W/${etag}`, `"another", ${etag}`, '*']) {
      expect(await read(client, { 'if-none-match': known })).toMatchObject({
        status: 304,
        body: {},
        headers: { etag },
      })
    }
    for (const unknown of ['"another"', etag.replaceAll('"', ''), '']) {
      expect(await read(client, { 'if-none-match': unknown })).toMatchObject({
        status: 200,
        headers: { etag },
      })
    }
  }

  await fan.hold(showIds[0]!, [7])
  const changed = await read(clients[1], { 'if-none-match': etag })
  expect(changed).toMatchObject({ status: 200 })
  expect(changed.headers['etag']).not.toBe(etag)
  // The hold runs out by the clock alone, and the map is as it was.
  await expect
    .poll(async () => (await read(clients[1], { 'if-none-match': etag })).status, patiently)
    .toBe(304)
  await Promise.all(clients.map((client) => client.close()))
})

test('who ask for many maps at the same moment get each the one they asked for', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken, {
    shows: [{ seats: 3 }, { seats: 4 }, { seats: 5 }],
  })
  const fan = await Fan.signUp(client)
  await fan.join(concertId)
  const answers = await Promise.all(
    Array.from({ length: 90 }, (_, index) =>
      client.call('GET', `/v1/shows/${showIds[index % 3]!}/seats`, fan.both),
    ),
  )
  answers.forEach(({ body }, index) => {
    expect([body['showId'], body['seats'].length]).toEqual([showIds[index % 3], 3 + (index % 3)])
  })
  await client.close()
})
