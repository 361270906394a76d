import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import {
  addFan,
  addShow,
  expectInvariants,
  newId,
  reach,
  standInTheWay,
  waitingForLocks,
  wish,
} from '../../test/sale.ts'
import { sql } from '../platform/postgres/sql.ts'
import { cancelHold } from './cancel-hold.ts'
import { answerHold, holdSeats } from './hold-seats.ts'

const rules = { holdSeconds: 60, seatsPerUserMax: 4 }

test('a hold is cancelled once, however often and however its id is written', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database)
  const { reservationId } = answerHold(await holdSeats(database, rules)(wish(show, fan, [1])))
  const cancel = cancelHold(database)
  const other = cancel({ userId: fan, reservationId: newId() })
  const outcomes = await Promise.all(
    [reservationId, reservationId.toUpperCase(), reservationId].map((id) =>
      cancel({ userId: fan, reservationId: id }),
    ),
  )
  expect(await other).toEqual({ code: 'reservation-not-found' })
  expect(outcomes).toEqual([
    { code: 'cancelled' },
    { code: 'not-held', state: 'cancelled' },
    { code: 'not-held', state: 'cancelled' },
  ])
  const events = await database.query(sql`select from outbox where type = 'reservation.cancelled'`)
  expect(events).toHaveLength(1)
})

test('the seats of a cancelled hold are free at once, and no others', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const hold = holdSeats(database, rules)
  const [fan, other] = [await addFan(database), await addFan(database)]
  const given = answerHold(await hold(wish(show, fan, [1, 2])))
  await hold(wish(show, fan, [3]))
  expect(await cancelHold(database)({ userId: fan, reservationId: given.reservationId })).toEqual({
    code: 'cancelled',
  })
  expect(await hold(wish(show, other, [1, 2, 3]))).toEqual({ code: 'seat-taken', seats: [3] })
  expect(await hold(wish(show, other, [1, 2]))).toMatchObject({ code: 'held' })
  await expectInvariants(database)
})

test('nobody cancels for another: to them there is no such reservation, and it stays held', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const hold = holdSeats(database, rules)
  const [fan, other] = [await addFan(database), await addFan(database)]
  const { reservationId } = answerHold(await hold(wish(show, fan, [1])))
  expect(await cancelHold(database)({ userId: other, reservationId })).toEqual({
    code: 'reservation-not-found',
  })
  expect(await hold(wish(show, other, [1]))).toEqual({ code: 'seat-taken', seats: [1] })
  expect(await database.query(sql`select state from reservations`)).toEqual([{ state: 'held' }])
})

test('a cancellation that waited past the deadline finds the hold expired, and takes nothing from the next one', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const [fan, next] = [await addFan(database), await addFan(database)]
  const held = answerHold(await holdSeats(database, { ...rules, holdSeconds: 1 })(wish(show, fan, [1])))
  const cancel = cancelHold(database)
  await using reservationTaken = await standInTheWay(
    database,
    sql`select from reservations where id = ${held.reservationId} for update`,
  )
  const cancelling = cancel({ userId: fan, reservationId: held.reservationId })
  await waitingForLocks(database, 1)
  await reach(database, held.heldUntil)
  const mine = answerHold(await holdSeats(database, rules)(wish(show, next, [1])))
  await reservationTaken.release()
  expect(await cancelling).toEqual({ code: 'not-held', state: 'expired' })
  expect(await database.query(sql`select reservation_id from seats where number = 1`)).toEqual([
    { reservation_id: mine.reservationId },
  ])
  await expectInvariants(database)
})
