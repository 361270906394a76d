import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Client, createConcert, Fan } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { operatorToken, startService } from '../../test/service.ts'
import { placeStreams } from './stream-place.ts'
import type { LineWatch } from './watch-lines.ts'

const patiently = { interval: 20, timeout: 10_000 }

type Message = { event: string; data: Record<string, any> }

/** A page that watches its place: what it was sent so far, and how its stream ended. */
type Watcher = {
  status: number
  headers: Headers
  messages: Message[]
  /** Resolves when the service has ended the stream. */
  ended: Promise<void>
  leave: () => void
}

async function watchPlace(url: string, queueToken: string): Promise<Watcher> {
  const gone = new AbortController()
  const answer = await fetch(`${url}/v1/queue/events`, {
    headers: { 'queue-token': queueToken },
    signal: gone.signal,
  })
  const messages: Message[] = []
  async function read(): Promise<void> {
    let text = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s) as [string, string]))
        const event = fields.get('event')
        if (event) messages.push({ event, data: JSON.parse(fields.get('data')!) })
      }
    }
  }
  const ended = read()
  // A page that goes away does not wait for the rest.
  ended.catch(() => {})
  return {
    status: answer.status,
    headers: answer.headers,
    messages,
    ended,
    leave: () => gone.abort(),
  }
}

test('a page is told where its fan stands, at once and at every change, until the place has ended', async () => {
  await using database = await freshDatabase()
  await using one = await startService(database.url)
  await using two = await startService(database.url)
  const client = new Client(one.url)
  const { concertId } = await createConcert(client, operatorToken, { capacity: 1 })
  const [first, second, third] = [
    await Fan.signUp(client),
    await Fan.signUp(client),
    await Fan.signUp(client),
  ]
  for (const fan of [first, second, third]) await fan.join(concertId)

  const page = await watchPlace(two.url, third.queueToken)
  expect([page.status, page.headers.get('content-type'), page.headers.get('cache-control')]).toEqual([
    200,
    'text/event-stream',
    'no-store',
  ])
  const told = () => page.messages.map(({ event, data }) => [event, data['status'], data['ahead']])
  await expect.poll(told, patiently).toEqual([['queue', 'waiting', 1]])
  await first.leave()
  await expect.poll(told, patiently).toContainEqual(['queue', 'waiting', 0])
  await second.leave()
  await expect.poll(told, patiently).toContainEqual(['queue', 'active', 0])
  // Watching is showing up: the page got the whole session.
  const activeUntil = page.messages.find(({ data }) => data['status'] === 'active')!.data['activeUntil']
  expect(Date.parse(activeUntil) - Date.now()).toBeGreaterThan(500_000)
  expect((await third.place()).body).toMatchObject({ status: 'active', activeUntil })

  await third.leave()
  await page.ended
  expect(page.messages.at(-1)).toMatchObject({
    event: 'queue',
    data: { number: 3, status: 'ended', reason: 'left' },
  })
  await client.close()
})

test('a place that has ended is told so and no stream stays open', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)
  await fan.join(concertId)
  await fan.leave()
  const page = await watchPlace(service.url, fan.queueToken)
  await page.ended
  expect(page.messages).toMatchObject([{ event: 'queue', data: { status: 'ended', reason: 'left' } }])
  await client.close()
})

test('a page is shown the place of its own proof, and nothing without one', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId } = await createConcert(client, operatorToken, { capacity: 1 })
  const fans = [await Fan.signUp(client), await Fan.signUp(client)]
  for (const fan of fans) await fan.join(concertId)
  const pages = await Promise.all(fans.map((fan) => watchPlace(service.url, fan.queueToken)))
  await expect
    .poll(
      () => pages.map(({ messages }) => [messages[0]?.data['number'], messages[0]?.data['status']]),
      patiently,
    )
    .toEqual([
      [1, 'active'],
      [2, 'waiting'],
    ])
  for (const token of ['', 'nonsense', fans[0]!.accessToken]) {
    const { status, body } = await client.call('GET', '/v1/queue/events', { 'queue-token': token })
    expect([status, body['code']]).toEqual([401, 'queue-token-invalid'])
  }
  for (const page of pages) page.leave()
  await client.close()
})

test('a page that goes away is forgotten', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId } = await createConcert(client, operatorToken, { capacity: 1 })
  const fan = await Fan.signUp(client)
  await fan.join(concertId)
  const openStreams = async () => {
    const metrics = await (await fetch(`${service.url}/metrics`)).text()
    return Number(/^\w*open_streams\S* (\d+)$/m.exec(metrics)?.[1])
  }
  const pages = await Promise.all([1, 2, 3].map(() => watchPlace(service.url, fan.queueToken)))
  await expect.poll(openStreams, patiently).toBe(3)
  for (const page of pages) page.leave()
  await expect.poll(openStreams, patiently).toBe(0)
  await client.close()
})

test('a stopping instance sends its pages elsewhere, and is not kept from stopping by any', async () => {
  await using database = await freshDatabase()
  const service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId } = await createConcert(client, operatorToken, { capacity: 1 })
  const fans = await Promise.all(Array.from({ length: 10 }, () => Fan.signUp(client)))
  for (const fan of fans) await fan.join(concertId)
  const pages = await Promise.all(fans.map((fan) => watchPlace(service.url, fan.queueToken)))
  await expect.poll(() => pages.every(({ messages }) => messages.length > 0), patiently).toBe(true)
  // Some arrive while it stops: they are refused, or sent elsewhere as well.
  const late = Promise.allSettled(
    fans.map((fan) => watchPlace(service.url, fan.queueToken).then(({ ended }) => ended)),
  )
  await service.close()
  await late
  await Promise.all(pages.map(({ ended }) => ended))
  expect(pages.map(({ messages }) => messages.at(-1)?.event)).toEqual(pages.map(() => 'reconnect'))
  await client.close()
})

test('a page that arrives when its instance has begun to stop is sent elsewhere as well', async () => {
  const streams = placeStreams(
    { onRefresh: () => () => true } as unknown as LineWatch,
    () => Promise.reject(new Error('nobody is asked any more')),
    () => {},
  )
  streams.close()
  const server = createServer((_request, response) => {
    void streams.open({ concertId: 1, userId: 'fan', number: 1 }, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const page = await watchPlace(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'token')
  await page.ended
  expect(page.messages.map(({ event }) => event)).toEqual(['reconnect'])
  expect(streams.count()).toBe(0)
  server.closeAllConnections()
  server.close()
})
