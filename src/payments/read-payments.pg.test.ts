import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import { addFan, addShow, bill, price, wish } from '../../test/sale.ts'
import { answerHold, holdSeats } from '../reservations/hold-seats.ts'
import { answerPay, payReservation } from './pay-reservation.ts'
import { listPayments, readPayment } from './read-payments.ts'

test('fans see their own receipts as they were answered, newest first, page by page, and no one else’s', async () => {
  await using database = await freshDatabase()
  const show = await addShow(database, 20)
  const [fan, other] = [await addFan(database, 100_000), await addFan(database, 100_000)]
  const hold = holdSeats(database, { holdSeconds: 60, seatsPerUserMax: 20 })
  const pay = payReservation(database)
  const buy = async (userId: string, seats: number[]) => {
    const { reservationId } = answerHold(await hold(wish(show, userId, seats)))
    return answerPay(await pay(bill(show.concertId, userId, reservationId)))
  }
  const receipts = []
  for (let seat = 1; seat <= 5; seat++) {
    receipts.unshift(await buy(fan, seat === 5 ? [5, 6] : [seat]))
    await buy(other, [seat + 10])
  }
  expect(receipts[0]).toMatchObject({ showId: show.showId, amount: 2 * price, balance: 100_000 - 6 * price })

  const seen = []
  let before: string | undefined
  for (const expected of [2, 2, 1]) {
    const { payments, nextCursor } = await listPayments(database, fan, before, 2)
    expect(payments).toHaveLength(expected)
    expect(nextCursor === null).toBe(expected < 2)
    seen.push(...payments)
    before = payments.at(-1)?.paymentId
  }
  expect(seen).toEqual(receipts)
  for (const receipt of receipts) expect(await readPayment(database, fan, receipt.paymentId)).toEqual(receipt)
  await expect(readPayment(database, other, receipts[0]!.paymentId)).rejects.toMatchObject({
    code: 'payment-not-found',
  })
})
