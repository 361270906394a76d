import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import { addFan, addShow, price, wish } from '../../test/sale.ts'
import { sql } from '../platform/postgres/sql.ts'
import { cancelHold } from './cancel-hold.ts'
import { answerHold, holdSeats } from './hold-seats.ts'
import { countSeatsOf, listReservations, readReservation } from './read-reservations.ts'

test('a hold reads as expired from its deadline on, although nobody has written that down', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database)
  const fan = await addFan(database)
  const held = answerHold(
    await holdSeats(database, { holdSeconds: 60, seatsPerUserMax: 4 })(wish(show, fan, [2, 1])),
  )
  expect(await readReservation(database, fan, held.reservationId)).toMatchObject({
    ...held,
    ...show,
    total: 2 * price,
  })
  expect(await countSeatsOf(database, fan, show.showId)).toBe(2)
  await database.query(sql`update reservations set held_until = clock_timestamp()`)
  expect(await readReservation(database, fan, held.reservationId)).toMatchObject({ state: 'expired' })
  expect((await listReservations(database, fan, undefined, 10)).reservations).toMatchObject([
    { state: 'expired' },
  ])
  expect(await countSeatsOf(database, fan, show.showId)).toBe(0)
})

test('fans see their own reservations, newest first, page by page, and no one else’s', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database, 20)
  const [fan, other] = [await addFan(database), await addFan(database)]
  const hold = holdSeats(database, { holdSeconds: 60, seatsPerUserMax: 20 })
  const mine: string[] = []
  for (let seat = 1; seat <= 7; seat++) {
    mine.unshift(answerHold(await hold(wish(show, fan, [seat]))).reservationId)
    await hold(wish(show, other, [seat + 10]))
  }
  await cancelHold(database)({ userId: fan, reservationId: mine[0]! })

  const seen: string[] = []
  let before: string | undefined
  for (const expected of [3, 3, 1]) {
    const { reservations, nextCursor } = await listReservations(database, fan, before, 3)
    expect(reservations).toHaveLength(expected)
    expect(nextCursor === null).toBe(expected < 3)
    seen.push(...reservations.map(({ reservationId }) => reservationId))
    before = seen.at(-1)
  }
  expect(seen).toEqual(mine)
  await expect(readReservation(database, other, mine[0]!)).rejects.toMatchObject({
    code: 'reservation-not-found',
  })
})
