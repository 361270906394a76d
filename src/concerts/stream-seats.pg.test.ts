import { once } from 'node:events'
import { expect, test } from 'vitest'
import { Client, createConcert, Fan } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { operatorToken, startService } from '../../test/service.ts'

type Told = { name: string; seats: { number: number; state: string }[] }

/** Reads a stream event by event. */
async function* readEvents(response: Response): AsyncGenerator<Told> {
  let buffer = ''
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    buffer += piece
    const blocks = buffer.split('\n\n')
    buffer = blocks.pop() ?? ''
    for (const block of blocks) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
      if (name && data) yield { name, seats: JSON.parse(data).seats }
    }
  }
}

test('a seat map streams whole, then what changes of it, through any instance', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  await using other = await startService(database.url)
  const client = new Client(service.url)
  const elsewhere = new Client(other.url)
  const { concertId, showIds } = await createConcert(client, operatorToken, { shows: [{ seats: 3 }] })
  const [watcher, buyer] = await Promise.all([Fan.signUp(client), Fan.signUp(elsewhere)])
  await watcher.join(concertId)
  await buyer.join(concertId)
  const url = `${service.url}/v1/shows/${showIds[0]}/seats/events`
  const events = readEvents(await fetch(url, { headers: watcher.both }))
  const next = async () => (await events.next()).value as Told

  expect((await next()).seats.map(({ state }) => state)).toEqual(['available', 'available', 'available'])
  const { body } = await buyer.hold(showIds[0]!, [2])
  expect(await next()).toMatchObject({ name: 'changes', seats: [{ number: 2, state: 'held' }] })
  await buyer.cancel(body['reservationId'])
  expect(await next()).toMatchObject({ name: 'changes', seats: [{ number: 2, state: 'available' }] })
  await Promise.all([client.close(), elsewhere.close()])
})

test('a seat map streams to an admitted fan only, and not past the end of the session', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url, { SESSION_SECONDS: '1', CLAIM_SECONDS: '1' })
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken, { capacity: 1 })
  const [inside, waiting] = [await Fan.signUp(client), await Fan.signUp(client)]
  await inside.join(concertId)
  await waiting.join(concertId)
  const path = `/v1/shows/${showIds[0]}/seats/events`
  expect((await client.call('GET', path, waiting.both)).body).toMatchObject({ code: 'not-admitted' })
  expect((await client.call('GET', path)).body).toMatchObject({ code: 'unauthenticated' })
  const told: Told[] = []
  for await (const event of readEvents(await fetch(`${service.url}${path}`, { headers: inside.both })))
    told.push(event)
  expect(told.map(({ name }) => name)).toEqual(['seats'])
  await client.close()
})

test('stopping ends every open seat map', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)
  await fan.join(concertId)
  const response = await fetch(`${service.url}/v1/shows/${showIds[0]}/seats/events`, { headers: fan.both })
  const events = readEvents(response)
  await events.next()
  await client.close()
  const closed = once(service.app.http.server, 'close')
  void service.close()
  expect((await events.next()).done).toBe(true)
  await closed
})
