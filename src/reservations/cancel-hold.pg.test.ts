import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import { addFan, addShow, wish } from '../../test/sale.ts'
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
  const other = cancel({ userId: fan, reservationId: fan })
  const outcomes = await Promise.all(
    [reservationId, reservationId.toUpperCase(), reservationId].map((id) =>
      cancel({ userId: fan, reservationId: id }),
    ),
  )
  expect(await other).toEqual({ code: 'reservation-not-found' })
  expect(outcomes.filter(({ code }) => code === 'cancelled')).toHaveLength(1)
  const events = await database.query(sql`select from outbox where type = 'reservation.cancelled'`)
  expect(events).toHaveLength(1)
})
