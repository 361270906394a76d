import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import { addFan, addShow, bill, expectInvariants, wish } from '../../test/sale.ts'
import { sql } from '../platform/postgres/sql.ts'
import { answerHold, holdSeats } from '../reservations/hold-seats.ts'
import { payReservation } from './pay-reservation.ts'

const rules = { holdSeconds: 60, seatsPerUserMax: 4 }

test('a fan whom this database does not know pays for nothing, and is told to sign in', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const stranger = randomUUID()
  const held = answerHold(await holdSeats(database, rules)(wish(show, stranger, [1])))
  const pay = payReservation(database)
  expect(await pay(bill(show.concertId, stranger, held.reservationId))).toEqual({ code: 'unauthenticated' })
  await expectInvariants(database)
})

test('a payment never takes a seat that has another owner by now, even when the clock was set back', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const hold = holdSeats(database, rules)
  const pay = payReservation(database)
  const slow = await addFan(database, 100_000)
  const quick = await addFan(database, 100_000)
  const first = answerHold(await hold(wish(show, slow, [1, 2])))
  // To the statements this is a clock that was past the deadline and then is not: what a failover to a machine with
  // a slower clock looks like.
  await database.query(sql`update seats set held_until = clock_timestamp() where number = 2`)
  const second = answerHold(await hold(wish(show, quick, [2])))

  expect(await pay(bill(show.concertId, slow, first.reservationId))).toMatchObject({ code: 'hold-expired' })
  expect(await pay(bill(show.concertId, quick, second.reservationId))).toMatchObject({ code: 'paid' })
  const sold = await database.query(sql`select number, reservation_id from seats where sold_at is not null`)
  expect(sold).toEqual([{ number: 2, reservation_id: second.reservationId }])
})
