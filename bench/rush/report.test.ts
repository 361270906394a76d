import { expect, test } from 'vitest'
import { readOptions } from './options.ts'
import { describeRush, faultsOf, type Rush } from './report.ts'
import { Tally } from './tally.ts'

function rushOf(tally: Tally, rest: Partial<Rush> = {}): Rush {
  return {
    options: readOptions([]),
    service: 'an instance',
    seats: 1_000,
    seconds: 10,
    stoppedBy: undefined,
    tally,
    checks: [],
    ...rest,
  }
}

const purchase = { accessToken: 'token', showId: 1, seats: [1, 2], amount: 20_000 }

test('a rush in which nothing went wrong has no faults', () => {
  const tally = new Tally(2)
  tally.bought({ ...purchase, paymentId: 'a' })
  tally.ended('bought')
  tally.ended('gave-up')
  const rush = rushOf(tally, { checks: [{ name: 'A promise', holds: true, detail: '' }] })
  expect(faultsOf(rush)).toEqual([])
  const report = describeRush(rush)
  expect(report).toMatch(/Seats sold +2 of 1,000, in 1 payments/)
  expect(report).toMatch(/has seats +1\n/)
  expect(report).toMatch(/gave up waiting +1\n/)
  expect(report).toMatch(/kept +A promise\n/)
  expect(report).toContain('Every promise was kept.')
})

test('a seat in two confirmed payments is sold twice', () => {
  const tally = new Tally(2)
  tally.bought({ ...purchase, paymentId: 'a', seats: [1, 2] })
  tally.bought({ ...purchase, paymentId: 'b', seats: [2, 3] })
  tally.bought({ ...purchase, paymentId: 'c', showId: 2, seats: [2, 3] })
  expect(tally.soldTwice).toEqual([{ showId: 1, seat: 2, paymentIds: ['a', 'b'] }])
  expect(tally.seatsSold).toBe(5)
})

test('a payment that is answered again is one payment, and no seat is sold twice by it', () => {
  const tally = new Tally(1)
  tally.bought({ ...purchase, paymentId: 'a' })
  tally.bought({ ...purchase, paymentId: 'a' })
  expect(tally.purchases.size).toBe(1)
  expect(tally.soldTwice).toEqual([])
})

test('a broken promise and any error of the service are faults that the report names', () => {
  const tally = new Tally(1)
  tally.serverErrors.set('hold: 500 internal', 3)
  const checks = [{ name: 'A promise', holds: false, detail: 'seat 7' }]
  const rush = rushOf(tally, { checks })
  expect(faultsOf(rush)).toEqual([
    'Broken: A promise (seat 7)',
    'Errors of the service: hold: 500 internal ×3',
  ])
  const report = describeRush(rush)
  expect(report).toMatch(/BROKEN +A promise \(seat 7\)/)
  expect(report).not.toContain('Every promise was kept.')
})

test('refusals and lost connections are told, and are no faults', () => {
  const tally = new Tally(1)
  tally.refusals.set('hold: seat-taken', 12)
  tally.connectionErrors.set('pay: ECONNRESET', 1)
  const rush = rushOf(tally)
  expect(faultsOf(rush)).toEqual([])
  expect(describeRush(rush)).toMatch(/hold: seat-taken +12\n/)
  expect(describeRush(rush)).toMatch(/pay: ECONNRESET +1\n/)
})

test('a rush that ended early says why', () => {
  expect(describeRush(rushOf(new Tally(1), { stoppedBy: 'Ctrl-C' }))).toContain('It ended early: Ctrl-C.')
})

test('calls show how long they took, most of them and the slowest', () => {
  const tally = new Tally(1)
  for (let ms = 1; ms <= 100; ms++) tally.answered('hold', ms)
  expect(describeRush(rushOf(tally))).toMatch(/hold +100 +50\.0 +95\.0 +99\.0 +100\.0\n/)
})
