import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCursor, encodeCursor, page } from './paging.ts'

const refusal = { code: 'invalid-request', status: 400 }

function refusedWith(read: () => unknown): unknown {
  try {
    return { read: read() }
  } catch (error) {
    return error
  }
}

describe('cursors', () => {
  test('a cursor reads back as what it was made of', () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.uuid(),
        fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (number, id, time) => {
          const cursor = encodeCursor([number, id, time.getTime()])
          expect(cursor).toMatch(/^[\w-]+$/)
          expect(decodeCursor(cursor, ['integer', 'uuid', 'time'])).toEqual([number, id, time])
        },
      ),
    )
  })

  test('no cursor is the first page', () => {
    expect(decodeCursor(undefined, ['integer'])).toBeUndefined()
  })

  test('whatever this service did not make is an invalid request, never a query', () => {
    fc.assert(
      fc.property(fc.string(), (cursor) => {
        expect(refusedWith(() => decodeCursor(cursor, ['uuid']))).toMatchObject(refusal)
      }),
    )
  })

  test.for([
    ['another list’s', [7]],
    ['one with too much', ['018f4e4c-0000-7000-8000-000000000000', 1]],
    ['an empty one', []],
    ['one with SQL in it', ["' or 1=1 --"]],
    ['a capital id', ['018F4E4C-0000-7000-8000-000000000000']],
    ['one with a list in it', [['018f4e4c-0000-7000-8000-000000000000']]],
  ] as const)('%s is refused', ([, values]) => {
    const cursor = Buffer.from(JSON.stringify(values)).toString('base64url')
    expect(refusedWith(() => decodeCursor(cursor, ['uuid']))).toMatchObject(refusal)
  })

  test.for([1.5, 2 ** 53, '7', null, true])('%j is no integer of a cursor', (value) => {
    const cursor = Buffer.from(JSON.stringify([value])).toString('base64url')
    expect(refusedWith(() => decodeCursor(cursor, ['integer']))).toMatchObject(refusal)
  })
})

describe('pages', () => {
  test('following the cursors shows every row once, in order, whatever the size of a page', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 1, max: 12 }), (total, limit) => {
        const rows = Array.from({ length: total }, (_, index) => index + 1)
        const seen: number[] = []
        let cursor: string | undefined
        let pages = 0
        do {
          const after = decodeCursor(cursor, ['integer'])?.[0] ?? 0
          // What a query does: one row more than the page shows.
          const read: number[] = rows.filter((row) => row > after).slice(0, limit + 1)
          const next = page(read, limit, (row) => [row])
          seen.push(...next.shown)
          cursor = next.nextCursor ?? undefined
          pages++
        } while (cursor !== undefined)
        expect(seen).toEqual(rows)
        expect(pages).toBe(Math.max(1, Math.ceil(total / limit)))
      }),
    )
  })
})
