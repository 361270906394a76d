import { expect, test } from 'vitest'
import { Client, createConcert, Fan } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { standInTheWay } from '../../test/sale.ts'
import { operatorToken, startService } from '../../test/service.ts'
import { sql } from '../platform/postgres/sql.ts'
import { payReservation } from './pay-reservation.ts'

async function fanWithHold(client: Client) {
  const { concertId, showIds } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)
  await fan.join(concertId)
  await fan.charge(1_000_000)
  const { body } = await fan.hold(showIds[0]!, [1])
  return { concertId, fan, reservationId: body['reservationId'] as string }
}

test('a payment ends the session in its own request: no event has to come first', async () => {
  await using database = await freshDatabase()
  // Whoever has this lock is the relay, so that no other delivers anything.
  await using _relay = await standInTheWay(database, sql`select pg_advisory_xact_lock(7366002)`)
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { fan, reservationId } = await fanWithHold(client)
  expect((await fan.pay(reservationId)).status).toBe(201)
  expect((await fan.place()).body).toMatchObject({ status: 'ended', reason: 'completed' })
  expect((await fan.pay(reservationId)).body).toMatchObject({ status: 403, code: 'session-ended' })
  const waiting = await database.query(sql`select from outbox where published_at is null`)
  expect(waiting).not.toEqual([])
  await client.close()
})

test('when a process dies between the payment and the end of the session, the event ends it', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId, fan, reservationId } = await fanWithHold(client)
  // What the request does first, and nothing after it.
  const paid = await payReservation(database)({
    userId: fan.userId,
    concertId,
    queueNumber: 1,
    reservationId,
    idempotency: undefined,
  })
  expect(paid.code).toBe('paid')
  await expect
    .poll(async () => (await fan.place()).body, { timeout: 10_000 })
    .toMatchObject({ status: 'ended', reason: 'completed' })
  await client.close()
})

test('a payment is answered by what the statement decided, in the words of the table', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { fan, reservationId } = await fanWithHold(client)
  const stranger = await fanWithHold(client)
  const refusals = [
    await fan.pay('018f4e4c-0000-7000-8000-000000000000'),
    await fan.pay(stranger.reservationId),
    await stranger.fan.pay(reservationId),
  ]
  expect(refusals.map(({ body }) => [body['status'], body['code']])).toEqual(
    refusals.map(() => [404, 'reservation-not-found']),
  )
  // An id may be written in capitals.
  expect((await fan.pay(reservationId.toUpperCase())).body).toMatchObject({ reservationId, amount: 10_000 })

  // A token of this service for a user that its database does not know: a database that was set back, for one.
  await database.query(sql`delete from balances where user_id = ${stranger.fan.userId}`)
  expect((await stranger.fan.pay(stranger.reservationId)).body).toMatchObject({ code: 'unauthenticated' })
  await client.close()
})
