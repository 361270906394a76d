import { expect, test } from 'vitest'
import { median, percentile, spreadOf } from './statistics.ts'

const oneToHundred = Array.from({ length: 100 }, (_, index) => 100 - index)

test('a percentile is a value that occurred, whatever the order', () => {
  expect(percentile(oneToHundred, 0.5)).toBe(50)
  expect(percentile(oneToHundred, 0.99)).toBe(99)
  expect(percentile(oneToHundred, 1)).toBe(100)
  expect(percentile([7], 0.01)).toBe(7)
})

test('numbers are put in order as numbers, not as text', () => {
  expect(percentile([9, 10, 100], 1)).toBe(100)
  expect(median([9, 100, 10])).toBe(10)
})

test('the median of an even count lies between the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('nothing measured is not a number, never zero', () => {
  expect(percentile([], 0.5)).toBeNaN()
  expect(median([])).toBeNaN()
  expect(spreadOf([])).toEqual({
    count: 0,
    p50: Number.NaN,
    p95: Number.NaN,
    p99: Number.NaN,
    max: Number.NaN,
  })
})

test('a spread leaves its values in their order', () => {
  const values = [3, 1, 2]
  expect(spreadOf(values)).toEqual({ count: 3, p50: 2, p95: 3, p99: 3, max: 3 })
  expect(values).toEqual([3, 1, 2])
})
