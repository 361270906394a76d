import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concertStatus } from './concert.ts'

const sale = {
  saleOpensAt: new Date('2027-01-01T11:00:00Z'),
  saleClosesAt: new Date('2027-02-01T11:00:00Z'),
  soldOut: false,
}
const soldOut = { ...sale, soldOut: true }

test('a sale opens and closes to the millisecond', () => {
  const before = (time: Date) => new Date(time.getTime() - 1)
  expect(concertStatus(sale, before(sale.saleOpensAt))).toBe('upcoming')
  expect(concertStatus(sale, sale.saleOpensAt)).toBe('on-sale')
  expect(concertStatus(sale, before(sale.saleClosesAt))).toBe('on-sale')
  expect(concertStatus(sale, sale.saleClosesAt)).toBe('closed')
})

test('a concert is sold out while its sale runs; before it is upcoming and afterwards closed', () => {
  expect(concertStatus(soldOut, sale.saleOpensAt)).toBe('sold-out')
  expect(concertStatus(soldOut, new Date(0))).toBe('upcoming')
  expect(concertStatus(soldOut, sale.saleClosesAt)).toBe('closed')
})

test('as time goes on, a status never goes back', () => {
  const order = ['upcoming', 'on-sale', 'sold-out', 'closed']
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), fc.nat(), fc.boolean(), (now, laterMs, isSoldOut) => {
      const later = new Date(Math.min(now.getTime() + laterMs, 8.64e15))
      const [first, second] = [now, later].map((time) =>
        order.indexOf(concertStatus({ ...sale, soldOut: isSoldOut }, time)),
      )
      expect(second).toBeGreaterThanOrEqual(first!)
    }),
  )
})
