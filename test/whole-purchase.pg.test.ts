import { expect, test } from 'vitest'
import { checkInvariants } from '../src/operator/check-invariants.ts'
import { Client, createConcert, Fan } from './client.ts'
import { freshDatabase } from './database.ts'
import { operatorToken, startService } from './service.ts'

test('a fan joins, gets in, holds two seats, charges, pays, and has a receipt', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)

  expect((await fan.join(concertId)).body).toMatchObject({ number: 1, status: 'active', ahead: 0 })
  const held = await fan.hold(showIds[0]!, [8, 7])
  expect(held.body).toMatchObject({
    state: 'held',
    total: 20_000,
    seats: [
      { number: 7, price: 10_000 },
      { number: 8, price: 10_000 },
    ],
  })
  expect((await fan.charge(50_000)).body).toMatchObject({ amount: 50_000, balance: 50_000 })
  const paid = await fan.pay(held.body['reservationId'])
  expect(paid.body).toMatchObject({
    reservationId: held.body['reservationId'],
    amount: 20_000,
    balance: 30_000,
  })
  expect((await fan.place()).body).toMatchObject({ status: 'ended', reason: 'completed' })

  const { body } = await client.call('GET', `/v1/payments/${paid.body['paymentId']}`, fan.access)
  expect(body).toEqual(paid.body)
  expect((await checkInvariants(database)).filter(({ holds }) => !holds)).toEqual([])
  await client.close()
})
