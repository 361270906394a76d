import { expect, test } from 'vitest'
import {
  addFan,
  addShow,
  bill,
  expectInvariants,
  newId,
  reach,
  standInTheWay,
  waitingForLocks,
  wish,
} from '../../test/sale.ts'
import { freshDatabase } from '../../test/database.ts'
import type { Database } from '../platform/postgres/database.ts'
import { payReservation } from '../payments/pay-reservation.ts'
import { sql } from '../platform/postgres/sql.ts'
import { answerHold, holdSeats } from './hold-seats.ts'

const rules = { holdSeconds: 60, seatsPerUserMax: 4 }

test('seats paid at the last moment count against the limit of a hold that was already waiting', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database, 100_000)
  const hold = holdSeats(database, { ...rules, holdSeconds: 1 })
  const pay = payReservation(database)
  const first = answerHold(await hold(wish(show, fan, [1, 2, 3, 4])))

  // The payment reads the clock in time and then waits for its key; the hold's snapshot is older than its commit.
  const key = newId()
  const keyTaken = await standInTheWay(
    database,
    sql`insert into idempotency_keys (user_id, key, fingerprint, outcome) values (${fan}, ${key}, '', '{}')`,
  )
  const seatTaken = await standInTheWay(
    database,
    sql`select from seats where show_id = ${show.showId} and number = 5 for update`,
  )
  const paying = pay(bill(show.concertId, fan, first.reservationId, key))
  await waitingForLocks(database, 1)
  const holding = hold(wish(show, fan, [5, 6, 7, 8]))
  await waitingForLocks(database, 2)
  await reach(database, first.heldUntil)
  await keyTaken.release()
  expect((await paying).code).toBe('paid')
  await seatTaken.release()
  expect(await holding).toEqual({ code: 'too-many-seats', limit: 4, have: 4 })
  await expectInvariants(database)
})

test('the same fans in opposite order through two instances wait for each other, and never deadlock', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const [first, second, third, last] = [
    await addFan(database),
    await addFan(database),
    await addFan(database),
    await addFan(database),
  ]
  const refused: unknown[] = []
  const watched: Database = {
    ...database,
    query: (statement) =>
      database.query<any>(statement).catch((error) => {
        refused.push(error.code)
        throw error
      }),
  }
  const here = holdSeats(watched, rules)
  const there = holdSeats(watched, rules)
  const reservationOf = (userId: string) => sql`
    insert into reservations (
      id, user_id, concert_id, show_id, ordinal, seat_numbers, seat_prices, total, state, held_until, created_at
    ) values (${newId()}, ${userId}, 1, ${show.showId}, 1, '{}', '{}', 0, 'held', now(), now())`
  const secondTaken = await standInTheWay(database, reservationOf(second))
  const thirdTaken = await standInTheWay(database, reservationOf(third))

  // One request occupies each instance, so that the next three go together.
  const occupied = [
    here(wish(show, await addFan(database), [9])),
    there(wish(show, await addFan(database), [10])),
  ]
  const asked = [
    ...[first, second, last].map((fan, index) => here(wish(show, fan, [index + 1]))),
    ...[last, third, first].map((fan, index) => there(wish(show, fan, [index + 5]))),
  ]
  await Promise.all(occupied)
  await waitingForLocks(database, 2)
  await Promise.all([secondTaken.release(), thirdTaken.release()])
  const outcomes = await Promise.all(asked)
  expect(outcomes.map(({ code }) => code)).toEqual(Array(6).fill('held'))
  expect(refused).not.toContain('40P01')
  await expectInvariants(database)
})
