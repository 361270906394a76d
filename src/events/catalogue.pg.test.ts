import { Compile } from 'typebox/compile'
import { expect, test } from 'vitest'
import { Client, createConcert, Fan } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { expectInvariants } from '../../test/sale.ts'
import { operatorToken, startService } from '../../test/service.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { Consumer } from './bus.ts'
import { catalogue, type EventType } from './catalogue.ts'
import type { Event } from './event.ts'

const patiently = { interval: 20, timeout: 15_000 }
const types = Object.keys(catalogue) as EventType[]

test('a whole sale says what the catalogue says, in its words and in its form, and nothing else', async () => {
  await using database = await freshDatabase()
  const heard: Event[] = []
  const listener: Consumer = {
    name: 'listener',
    types,
    effect: 'idempotent',
    async handle(events) {
      heard.push(...events)
    },
  }
  await using service = await startService(database.url, { HOLD_SECONDS: '1' }, { consumers: [listener] })
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken, {
    shows: [{ seats: 2, price: 500 }],
  })
  const fan = await Fan.signUp(client)
  await fan.charge(2_000)
  await fan.join(concertId)
  const cancelled = await fan.hold(showIds[0]!, [1])
  await fan.cancel(cancelled.body['reservationId'])
  const expired = await fan.hold(showIds[0]!, [1, 2])
  await expect
    .poll(
      async () =>
        (await client.call('GET', `/v1/reservations/${expired.body['reservationId']}`, fan.access)).body[
          'state'
        ],
      patiently,
    )
    .toBe('expired')
  const held = await fan.hold(showIds[0]!, [1, 2])
  const paid = await fan.pay(held.body['reservationId'])
  expect(paid.status).toBe(201)
  // Whoever asks next finds that it was the last.
  await expect.poll(async () => (await fan.join(concertId)).status, patiently).toBe(409)

  await expect.poll(() => new Set(heard.map(({ type }) => type)), patiently).toEqual(new Set(types))
  const rows = await database.query<{ topic: string; key: string; type: EventType; data: unknown }>(sql`
    select topic, key, type, data from outbox order by position`)
  for (const { topic, key, type, data } of rows) {
    const form = catalogue[type]
    expect(topic).toBe(form.topic)
    expect(key).not.toBe('')
    expect([type, ...Compile(form.data).Errors(data)]).toEqual([type])
    // What a schema names and nothing besides: a field that nobody promised would be promised from then on.
    expect([type, Object.keys(data as object).toSorted()]).toEqual([
      type,
      Object.keys(form.data.properties).toSorted(),
    ])
  }
  const lives = (id: string) => rows.filter(({ key }) => key === id).map(({ type }) => type)
  expect(lives(cancelled.body['reservationId'])).toEqual(['reservation.held', 'reservation.cancelled'])
  expect(lives(expired.body['reservationId'])).toEqual(['reservation.held', 'reservation.expired'])
  expect(lives(held.body['reservationId'])).toEqual(['reservation.held', 'payment.completed'])
  expect(lives(fan.userId)).toEqual(['balance.charged'])
  expect(lives(`${concertId}`)).toEqual(['concert.created', 'concert.opened', 'concert.sold-out'])

  const payment = heard.find(({ type }) => type === 'payment.completed')
  expect(payment).toMatchObject({
    specversion: '1.0',
    source: 'urn:frontrow',
    subject: held.body['reservationId'],
    dataschema: 'urn:frontrow:event:payment.completed:1',
    data: {
      paymentId: paid.body['paymentId'],
      userId: fan.userId,
      seats: [1, 2],
      amount: 1_000,
      queueNumber: 1,
    },
  })
  await expectInvariants(database)
  await client.close()
})

test('what the operator is told was sold is what was paid, with two instances at work', async () => {
  await using database = await freshDatabase()
  await using one = await startService(database.url)
  await using two = await startService(database.url)
  const clients = [new Client(one.url), new Client(two.url)] as const
  const { concertId, showIds } = await createConcert(clients[0], operatorToken, {
    shows: [{ seats: 30, price: 700 }, { seats: 30, price: 1_100 }, { seats: 5 }],
  })
  const bought = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const fan = await Fan.signUp(clients[index % 2]!)
      await fan.join(concertId)
      await fan.charge(10_000)
      const seats = index % 3 === 0 ? [1 + (index % 20), 25] : [1 + (index % 20)]
      const held = await fan.hold(showIds[index % 2]!, seats)
      return held.status === 201 ? fan.pay(held.body['reservationId']) : held
    }),
  )
  expect(bought.filter(({ status }) => status === 201).length).toBeGreaterThan(10)
  const paid = await database.query(sql`
    select w.id as "showId", count(p.id)::int as payments,
           coalesce(sum(cardinality(p.seat_numbers)), 0)::int as seats, coalesce(sum(p.amount), 0)::int as amount
      from shows w left join payments p on p.show_id = w.id
     group by w.id order by w.id`)
  for (const client of clients) {
    await expect
      .poll(async () => {
        const { body } = await client.call('GET', `/v1/operator/concerts/${concertId}/sales`, {
          authorization: `Bearer ${operatorToken}`,
        })
        return body['shows']
      }, patiently)
      .toEqual(paid)
  }
  await expectInvariants(database)
  await Promise.all(clients.map((client) => client.close()))
})
