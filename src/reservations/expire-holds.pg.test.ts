import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import { addFan, addShow, expectInvariants, reach, wish } from '../../test/sale.ts'
import { limits } from '../limits.ts'
import { sql } from '../platform/postgres/sql.ts'
import { expireHolds } from './expire-holds.ts'
import { answerHold, holdSeats } from './hold-seats.ts'

test('several sweepers at once write each lapsed hold down once, and leave the live ones alone', async () => {
  await using database = await freshDatabase()
  const lapsing = limits.batch + 40
  const show = await addShow(database, lapsing + 1)
  const fan = await addFan(database)
  const rules = { holdSeconds: 1, seatsPerUserMax: lapsing + 1 }
  const hold = holdSeats(database, rules)
  const seats = Array.from({ length: lapsing }, (_, index) => index + 1)
  // Other fans', so that they are held in one statement or few.
  const fans = await Promise.all(seats.map(() => addFan(database)))
  const held = await Promise.all(seats.map((seat, index) => hold(wish(show, fans[index]!, [seat]))))
  const live = answerHold(
    await holdSeats(database, { ...rules, holdSeconds: 60 })(wish(show, fan, [lapsing + 1])),
  )
  const last = Math.max(...held.map((outcome) => answerHold(outcome).heldUntil.getTime()))
  await reach(database, new Date(last))

  // One pass takes a batch and says that there may be more; what it left is the next one's.
  expect(await expireHolds(database)).toBe(true)
  await Promise.all([expireHolds(database), expireHolds(database), expireHolds(database)])
  expect(await expireHolds(database)).toBe(false)

  const states = await database.query(sql`
    select state, count(*) as reservations, bool_and(closed_at is not distinct from held_until) as at_deadline
      from reservations group by state order by state`)
  expect(states).toEqual([
    { state: 'expired', reservations: lapsing, at_deadline: true },
    { state: 'held', reservations: 1, at_deadline: false },
  ])
  const events = await database.query(sql`
    select count(*) as events, count(distinct key) as keys from outbox where type = 'reservation.expired'`)
  expect(events).toEqual([{ events: lapsing, keys: lapsing }])
  expect(await database.query(sql`select id from reservations where state = 'held'`)).toEqual([
    { id: live.reservationId },
  ])
  await expectInvariants(database)
})
