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

/** The seats of the show that nobody has. */
async function freeSeats(database: Database, showId: number): Promise<number[]> {
  const rows = await database.query<{ number: number }>(sql`
    select number from seats
     where show_id = ${showId} and sold_at is null and (held_until is null or held_until <= clock_timestamp())
     order by number`)
  return rows.map(({ number }) => number)
}

test('requests that arrive together are settled in the order they came, each as if it were alone', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database, 6)
  const hold = holdSeats(database, rules)
  const wishes = [[6], [1, 2], [2, 3], [3, 4], [4], [5], [9, 5], [1, 4]]
  const fans = await Promise.all(wishes.map(() => addFan(database)))
  const outcomes = await Promise.all(wishes.map((seats, index) => hold(wish(show, fans[index]!, seats))))
  expect(
    outcomes.map((outcome) => ('seats' in outcome ? [outcome.code, outcome.seats] : outcome.code)),
  ).toEqual([
    'held',
    'held',
    ['seat-taken', [2]],
    // The one before it did not get seat 3, so it is free.
    'held',
    ['seat-taken', [4]],
    'held',
    ['seat-not-found', [9]],
    // Refused for seat 1 before it is known who gets seat 4.
    ['seat-taken', [1]],
  ])
  expect(await freeSeats(database, show.showId)).toEqual([])
  await expectInvariants(database)
})

test('a hold that waited for another transaction decides by what that one left, seat by seat', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database, 6)
  const hold = holdSeats(database, rules)
  const marked = (number: number) => sql`
    update seats set reservation_id = ${newId()}, held_until = now() + interval '1 hour'
     where show_id = ${show.showId} and number = ${number}`

  await using undone = await standInTheWay(database, marked(1), marked(2))
  const patient = hold(wish(show, await addFan(database), [1, 2]))
  await waitingForLocks(database, 1)
  await undone.release()
  expect((await patient).code).toBe('held')

  await using done = await standInTheWay(database, marked(4))
  const late = hold(wish(show, await addFan(database), [3, 4, 5]))
  await waitingForLocks(database, 1)
  await done.commit()
  expect(await late).toEqual({ code: 'seat-taken', seats: [4] })
  expect(await freeSeats(database, show.showId)).toEqual([3, 5, 6])
})

test('a seat whose deadline passes while a hold waits for it is free by then', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const first = answerHold(
    await holdSeats(database, { ...rules, holdSeconds: 1 })(wish(show, await addFan(database), [1])),
  )
  await using seatTaken = await standInTheWay(
    database,
    sql`select from seats where show_id = ${show.showId} and number = 1 for update`,
  )
  const holding = holdSeats(database, rules)(wish(show, await addFan(database), [1]))
  await waitingForLocks(database, 1)
  await reach(database, first.heldUntil)
  await seatTaken.release()
  expect((await holding).code).toBe('held')
  await expectInvariants(database)
})

test('a deadline is the holding time after the hold, to the millisecond, and so is the event', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database)
  const held = answerHold(await holdSeats(database, rules)(wish(show, fan, [2, 5])))
  const [row] = await database.query<{ seconds: number; data: Record<string, unknown> }>(sql`
    select extract(epoch from held_until - date_trunc('milliseconds', v.created_at))::float8 as seconds, o.data
      from reservations v join outbox o on o.key = v.id::text
     where v.id = ${held.reservationId} and o.type = 'reservation.held'`)
  expect(row!.seconds).toBe(60)
  expect(row!.data).toMatchObject({
    reservationId: held.reservationId,
    userId: fan,
    seats: [2, 5],
    total: 20_000,
  })
  expect(new Date(row!.data['heldUntil'] as string)).toEqual(held.heldUntil)
})

test('seats paid at the last moment count against the limit of a hold that was already waiting', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database, 100_000)
  const hold = holdSeats(database, { ...rules, holdSeconds: 2 })
  const pay = payReservation(database)
  const first = answerHold(await hold(wish(show, fan, [1, 2, 3, 4])))

  // The payment reads the clock in time and then waits for its key; the hold's snapshot is older than its commit.
  const key = newId()
  await using keyTaken = await standInTheWay(
    database,
    sql`insert into idempotency_keys (user_id, key, fingerprint, outcome) values (${fan}, ${key}, '', '{}')`,
  )
  await using seatTaken = await standInTheWay(
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
  const fans: string[] = []
  for (let index = 0; index < 6; index++) fans.push(await addFan(database))
  const [first, second, third, last, fifth, sixth] = fans as [string, string, string, string, string, string]
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
  await using secondTaken = await standInTheWay(database, reservationOf(second))
  await using thirdTaken = await standInTheWay(database, reservationOf(third))

  // One request occupies each instance, so that the next three of each go together.
  await using seatsTaken = await standInTheWay(
    database,
    sql`select from seats where show_id = ${show.showId} and number in (9, 10) for update`,
  )
  const occupying = [here(wish(show, fifth, [9])), there(wish(show, sixth, [10]))]
  await waitingForLocks(database, 2)
  const asked = [
    ...[first, second, last].map((fan, index) => here(wish(show, fan, [index + 1]))),
    ...[last, third, first].map((fan, index) => there(wish(show, fan, [index + 5]))),
  ]
  await seatsTaken.release()
  await Promise.all(occupying)
  await waitingForLocks(database, 2)
  await Promise.all([secondTaken.release(), thirdTaken.release()])
  const outcomes = await Promise.all(asked)
  expect(outcomes.map(({ code }) => code)).toEqual(Array(6).fill('held'))
  expect(refused).not.toContain('40P01')
  await expectInvariants(database)
})
