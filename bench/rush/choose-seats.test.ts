import { expect, test } from 'vitest'
import { chooseSeats } from './choose-seats.ts'
import { seeded } from './random.ts'

const row = Array.from({ length: 50 }, (_, index) => index + 1)
const always = (value: number) => () => value

test('seats are next to each other where such a row is free', () => {
  expect(chooseSeats([1, 3, 4, 6, 7, 8], 3, always(0))).toEqual([6, 7, 8])
  expect(chooseSeats(row, 4, always(0))).toEqual([1, 2, 3, 4])
})

test('a row before the place that a fan looked at first is found too', () => {
  expect(chooseSeats([1, 2, 10, 20, 30], 2, always(0.999_999))).toEqual([1, 2])
})

test('without a row, single seats do, and fewer when there are no more', () => {
  expect(chooseSeats([1, 3, 5], 2, always(0))).toEqual([1, 3])
  expect(chooseSeats([9], 4, always(0.5))).toEqual([9])
})

test('fans crowd at the front, so that they collide', () => {
  const random = seeded(1)
  const firsts = Array.from({ length: 1_000 }, () => chooseSeats(row, 2, random)[0]!)
  expect(firsts.filter((first) => first <= 10).length).toBeGreaterThan(600)
  expect(Math.max(...firsts)).toBeGreaterThan(25)
})

test('the same seed plays the same fans', () => {
  const choose = (seed: number) => {
    const random = seeded(seed)
    return Array.from({ length: 20 }, () => chooseSeats(row, 2, random))
  }
  expect(choose(7)).toEqual(choose(7))
  expect(choose(7)).not.toEqual(choose(8))
})
