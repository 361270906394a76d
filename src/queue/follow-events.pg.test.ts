import { expect, test } from 'vitest'
import { Client, createConcert, Fan } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { bill, expectInvariants, wish } from '../../test/sale.ts'
import { operatorToken, startService } from '../../test/service.ts'
import { payReservation } from '../payments/pay-reservation.ts'
import { answerHold, holdSeats } from '../reservations/hold-seats.ts'
import { followEvents } from './follow-events.ts'
import { postgresQueueStore } from './postgres-queue-store.ts'

const patiently = { interval: 20, timeout: 15_000 }

test('a payment whose process died right after it ends the session all the same', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken, { capacity: 1 })
  const [fan, next] = [await Fan.signUp(client), await Fan.signUp(client)]
  await fan.join(concertId)
  await next.join(concertId)
  await fan.charge(10_000)
  const held = await fan.hold(showIds[0]!, [1])

  // As the route does, and nothing after it.
  const outcome = await payReservation(database)(bill(concertId, fan.userId, held.body['reservationId']))
  expect(outcome.code).toBe('paid')
  await expect
    .poll(async () => (await fan.place()).body, patiently)
    .toMatchObject({ status: 'ended', reason: 'completed' })
  await expect.poll(async () => (await next.place()).body, patiently).toMatchObject({ status: 'active' })
  await expectInvariants(database)
  await client.close()
})

test('a hold whose process died right after it lets the session run to the hold’s deadline all the same', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url, { SESSION_SECONDS: '30' })
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)
  await fan.join(concertId)

  const hold = holdSeats(database, { holdSeconds: 300, seatsPerUserMax: 4 })
  const { heldUntil } = answerHold(await hold(wish({ concertId, showId: showIds[0]! }, fan.userId, [1])))
  await expect
    .poll(async () => (await fan.place()).body['activeUntil'], patiently)
    .toBe(heldUntil.toISOString())
  await client.close()
})

test('an event that comes again, or late, does nothing to the session that the fan has begun since', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)
  await fan.join(concertId)
  await fan.charge(10_000)
  const held = await fan.hold(showIds[0]!, [1])
  const paid = await fan.pay(held.body['reservationId'])
  await fan.join(concertId)
  const { activeUntil } = (await fan.place()).body

  const consumer = followEvents(postgresQueueStore(database, { sessionSeconds: 600, claimSeconds: 30 }))
  if (consumer.effect !== 'idempotent') throw new Error('its effect is in the line, not in a transaction')
  const common = {
    specversion: '1.0',
    source: 'urn:frontrow',
    subject: held.body['reservationId'],
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    dataschema: 'urn:frontrow:event',
  } as const
  const data = {
    reservationId: held.body['reservationId'],
    userId: fan.userId,
    concertId,
    showId: showIds[0]!,
    seats: [1],
    queueNumber: 1,
  }
  const heldUntil = new Date(Date.now() + 3_600_000).toISOString()
  const paymentId = paid.body['paymentId']
  await consumer.handle([
    { ...common, id: paymentId, type: 'payment.completed', data: { ...data, paymentId, amount: 10_000 } },
    {
      ...common,
      id: data.reservationId,
      type: 'reservation.held',
      data: { ...data, total: 10_000, heldUntil },
    },
  ])
  expect((await fan.place()).body).toMatchObject({ number: 2, status: 'active', activeUntil })
  await client.close()
})
