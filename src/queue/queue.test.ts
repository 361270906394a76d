import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aheadOf, describePlace, estimateWaitSeconds, pollAfterMs, type QueueSnapshot } from './queue.ts'

const snapshot: QueueSnapshot = {
  concertId: 1,
  issued: 1_000,
  serving: 100,
  admittedPerSecond: 0,
  ratePerSecond: 50,
  seatsLeft: 7,
  soldOut: false,
  paused: false,
  saleOpensAt: new Date('2027-01-01T00:00:00Z'),
  saleClosesAt: new Date('2027-02-01T00:00:00Z'),
}
const count = fc.nat({ max: 100_000_000 })
const random = fc.double({ min: 0, max: 1, noNaN: true })

describe('fans ahead', () => {
  test('are those with lower numbers who have not been admitted', () => {
    expect([aheadOf(101, 100), aheadOf(102, 100), aheadOf(1_000, 100)]).toEqual([0, 1, 899])
  })

  test('are never fewer than none, and one fewer with each one admitted', () => {
    fc.assert(
      fc.property(count, count, (number, serving) => {
        const ahead = aheadOf(number, serving)
        expect(ahead).toBeGreaterThanOrEqual(0)
        expect(aheadOf(number, serving + 1)).toBe(Math.max(0, ahead - 1))
      }),
    )
  })
})

describe('the wait', () => {
  test('is guessed from the pace seen, or allowed when none was seen yet', () => {
    expect(estimateWaitSeconds(99, snapshot)).toBe(2)
    expect(estimateWaitSeconds(99, { ...snapshot, admittedPerSecond: 4 })).toBe(25)
    expect(estimateWaitSeconds(0, { ...snapshot, ratePerSecond: 0.1 })).toBe(10)
  })

  test('is never shorter for who stands farther back', () => {
    fc.assert(
      fc.property(
        count,
        count,
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.double({ min: 0, minExcluded: true, max: 1e6, noNaN: true }),
        (ahead, more, admittedPerSecond, ratePerSecond) => {
          const seen = { ...snapshot, admittedPerSecond, ratePerSecond }
          const wait = estimateWaitSeconds(ahead, seen)
          expect(Number.isSafeInteger(wait)).toBe(true)
          expect(wait).toBeGreaterThan(0)
          expect(estimateWaitSeconds(ahead + more, seen)).toBeGreaterThanOrEqual(wait)
        },
      ),
    )
  })
})

describe('when to ask again', () => {
  test('is within bounds whatever the wait, and before the default time to show up is over', () => {
    fc.assert(
      fc.property(count, random, (waitSeconds, chance) => {
        const ms = pollAfterMs(waitSeconds, chance)
        expect(Number.isInteger(ms)).toBe(true)
        expect(ms).toBeGreaterThanOrEqual(800)
        expect(ms).toBeLessThan(30_000)
      }),
    )
  })

  test('is later for who stands farther back, by the same luck', () => {
    fc.assert(
      fc.property(count, count, random, (wait, more, chance) => {
        expect(pollAfterMs(wait + more, chance)).toBeGreaterThanOrEqual(pollAfterMs(wait, chance))
      }),
    )
    expect(pollAfterMs(1_000, 0.5)).toBeGreaterThan(5 * pollAfterMs(1, 0.5))
  })

  test('differs from fan to fan, so that a crowd does not ask all at once', () => {
    const moments = Array.from({ length: 100 }, (_, index) => pollAfterMs(1_000, index / 100))
    expect(new Set(moments).size).toBe(100)
    expect(Math.max(...moments) / Math.min(...moments)).toBeGreaterThan(1.3)
  })
})

describe('what a fan is told', () => {
  test('while waiting: how many are ahead', () => {
    expect(describePlace(200, { status: 'waiting' }, snapshot, 0.5)).toMatchObject({
      number: 200,
      status: 'waiting',
      ahead: 99,
      estimatedWaitSeconds: 2,
      seatsLeft: 7,
      activeUntil: null,
    })
  })

  test('inside: until when', () => {
    const activeUntil = new Date('2027-01-01T00:10:00Z')
    expect(describePlace(3, { status: 'active', activeUntil }, snapshot, 0.5)).toMatchObject({
      number: 3,
      status: 'active',
      ahead: 0,
      estimatedWaitSeconds: 0,
      activeUntil,
    })
  })

  test('afterwards: why it is over', () => {
    for (const reason of ['completed', 'expired', 'no-show', 'left', 'sold-out'] as const) {
      expect(describePlace(3, { status: 'ended', reason }, snapshot, 0.5)).toMatchObject({
        status: 'ended',
        reason,
        ahead: 0,
        activeUntil: null,
      })
    }
  })
})
