import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventReader } from '../../web/src/api/event-reader.ts'
import { fill, matchPage, pages, urlTo } from '../../web/src/routes.ts'
import { nearbySeats, type Seat } from '../../web/src/state/nearby-seats.ts'

function row(states: string): Seat[] {
  const names: Record<string, Seat['state']> = { '.': 'available', h: 'held', x: 'sold' }
  return Array.from(states, (state, index) => ({
    number: index + 1,
    price: index < 10 ? 150_000 : 80_000,
    state: names[state] ?? 'sold',
  }))
}

describe('seats offered in place of taken ones', () => {
  test('stay together and as near as can be', () => {
    expect(nearbySeats(row('....xx....'), [5, 6])).toEqual([3, 4])
    expect(nearbySeats(row('x.x..xx.x.'), [6, 7])).toEqual([4, 5])
  })
  test('are apart when none are together', () => {
    expect(nearbySeats(row('.x.xxx.xxx'), [5, 6])).toEqual([3, 7])
  })
  test('rather cost the same than lie next door', () => {
    expect(nearbySeats(row('.....xxxxx....'), [10])).toEqual([5])
  })
  test('are none when there are not enough', () => {
    expect(nearbySeats(row('.xxxxxxxxx'), [5, 6])).toEqual([])
    expect(nearbySeats(row('.....'), [])).toEqual([])
  })
  test('are always free, distinct, and as many as were wanted', () => {
    const seats = fc.string({ unit: fc.constantFrom('.', 'h', 'x'), minLength: 1, maxLength: 60 }).map(row)
    fc.assert(
      fc.property(
        seats,
        fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
        (all, wanted) => {
          const offer = nearbySeats(all, wanted)
          const free = new Set(all.filter(({ state }) => state === 'available').map(({ number }) => number))
          expect(offer.every((number) => free.has(number))).toBe(true)
          expect(new Set(offer).size).toBe(free.size >= wanted.length ? wanted.length : 0)
        },
      ),
    )
  })
})

test('events arrive whole, however their text is cut', () => {
  const text =
    'retry: 2000\n\nevent: seats\ndata: {"a":1}\n\n: still here\n\nevent: changes\ndata: {"b":"자리"}\n\n'
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: text.length })), (cuts) => {
      const read = eventReader()
      const places = [0, ...cuts.toSorted((a, b) => a - b), text.length]
      const events = places.flatMap((from, index) => read(text.slice(from, places[index + 1] ?? text.length)))
      expect(events).toEqual([
        { name: 'seats', data: { a: 1 } },
        { name: 'changes', data: { b: '자리' } },
      ])
    }),
  )
})

test('every page has an address, and the address leads back to it', () => {
  for (const name of Object.keys(pages) as (keyof typeof pages)[]) {
    const path = fill(pages[name], { concertId: 3, showId: 7, reservationId: 'r' })
    expect(matchPage(path)?.name).toBe(name)
  }
  expect(urlTo('seats', { concertId: 3, showId: 7 })).toBe('/concerts/3/shows/7')
  expect(matchPage('/concerts/3/else')).toBeUndefined()
})
