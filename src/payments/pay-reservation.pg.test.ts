import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import {
  addFan,
  addShow,
  bill,
  expectInvariants,
  newId,
  price,
  reach,
  standInTheWay,
  waitingForLocks,
  wish,
} from '../../test/sale.ts'
import { sql } from '../platform/postgres/sql.ts'
import { cancelHold } from '../reservations/cancel-hold.ts'
import { expireHolds } from '../reservations/expire-holds.ts'
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

test('a payment that waited past the deadline has come too late', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database, 100_000)
  const held = answerHold(await holdSeats(database, { ...rules, holdSeconds: 1 })(wish(show, fan, [1])))
  await using balanceTaken = await standInTheWay(
    database,
    sql`select from balances where user_id = ${fan} for update`,
  )
  const paying = payReservation(database)(bill(show.concertId, fan, held.reservationId))
  await waitingForLocks(database, 1)
  await reach(database, held.heldUntil)
  await balanceTaken.release()
  expect(await paying).toMatchObject({ code: 'hold-expired' })
  await expectInvariants(database)
})

test('of a payment and a cancellation one happens, and the other is told which', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database, 100_000)
  const hold = holdSeats(database, rules)
  const pay = payReservation(database)
  const cancel = cancelHold(database)

  const first = answerHold(await hold(wish(show, fan, [1])))
  await using balanceTaken = await standInTheWay(
    database,
    sql`select from balances where user_id = ${fan} for update`,
  )
  const paying = pay(bill(show.concertId, fan, first.reservationId))
  await waitingForLocks(database, 1)
  const cancelling = cancel({ userId: fan, reservationId: first.reservationId })
  await waitingForLocks(database, 2)
  await balanceTaken.release()
  expect((await paying).code).toBe('paid')
  expect(await cancelling).toEqual({ code: 'not-held', state: 'paid' })

  const second = answerHold(await hold(wish(show, fan, [2])))
  await using seatTaken = await standInTheWay(database, sql`select from seats where number = 2 for update`)
  const cancelled = cancel({ userId: fan, reservationId: second.reservationId })
  await waitingForLocks(database, 1)
  const late = pay(bill(show.concertId, fan, second.reservationId))
  await waitingForLocks(database, 2)
  await seatTaken.release()
  expect(await cancelled).toEqual({ code: 'cancelled' })
  expect(await late).toEqual({ code: 'not-held', state: 'cancelled' })
  await expectInvariants(database)
})

test('the sweeper passes over a hold that is being paid, and writes down the one that was not', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database, 100_000)
  const hold = holdSeats(database, { ...rules, holdSeconds: 2 })
  const paid = answerHold(await hold(wish(show, fan, [1])))
  const lapsed = answerHold(await hold(wish(show, fan, [2])))
  // The payment has read the clock in time, and cannot commit yet.
  const key = newId()
  await using keyTaken = await standInTheWay(
    database,
    sql`insert into idempotency_keys (user_id, key, fingerprint, outcome) values (${fan}, ${key}, '', '{}')`,
  )
  const paying = payReservation(database)(bill(show.concertId, fan, paid.reservationId, key))
  await waitingForLocks(database, 1)
  await reach(database, lapsed.heldUntil)
  expect(await expireHolds(database)).toBe(false)
  await keyTaken.release()
  expect((await paying).code).toBe('paid')
  await expireHolds(database)
  const states = await database.query(sql`
    select id, state, closed_at = held_until as at_deadline from reservations order by id`)
  expect(states).toEqual([
    { id: paid.reservationId, state: 'paid', at_deadline: false },
    { id: lapsed.reservationId, state: 'expired', at_deadline: true },
  ])
  const events = await database.query(sql`select key from outbox where type = 'reservation.expired'`)
  expect(events).toEqual([{ key: lapsed.reservationId }])
  await expectInvariants(database)
})

test('nobody pays for another, nor with the session of another concert, and a refusal changes nothing', async () => {
  await using database = await freshDatabase()
  const [show, elsewhere] = [await addShow(database), await addShow(database)]
  const [fan, other] = [await addFan(database, 5_000), await addFan(database, 100_000)]
  const { reservationId } = answerHold(await holdSeats(database, rules)(wish(show, fan, [1])))
  const pay = payReservation(database)
  const outcomes = await Promise.all([
    pay(bill(show.concertId, other, reservationId)),
    pay(bill(elsewhere.concertId, fan, reservationId)),
    pay(bill(show.concertId, fan, reservationId)),
    pay(bill(show.concertId, fan, newId())),
  ])
  expect(outcomes).toEqual([
    { code: 'reservation-not-found' },
    { code: 'queue-token-wrong-concert' },
    { code: 'insufficient-balance', balance: 5_000, required: price },
    { code: 'reservation-not-found' },
  ])
  expect(await database.query(sql`select from payments`)).toEqual([])
  await expectInvariants(database)
})
