import type { FastifyRequest } from 'fastify'
import { expect, test } from 'vitest'
import { readIdempotencyKey } from './idempotency-key.ts'

const read = (key: unknown, content: unknown[] = ['hold', 1, [7]]) =>
  readIdempotencyKey({ headers: { 'idempotency-key': key } } as unknown as FastifyRequest, 64, content)

test('the same key and content are the same request, and other content is another', () => {
  expect(read('k')).toEqual(read('k'))
  expect(read('k')).toMatchObject({ key: 'k' })
  expect(read('k', ['hold', 1, [8]])).not.toEqual(read('k'))
  expect(read('k', ['charge', 1, [7]])).not.toEqual(read('k'))
  // The border between two values is part of the content.
  expect(read('k', ['hold', 1, [17]])).not.toEqual(read('k', ['hold', 11, [7]]))
})

test('no key is no key', () => {
  expect(read(undefined)).toBeUndefined()
})

test.for(['', ' ', 'a b', 'a\tb', 'é', '좌석', 'k'.repeat(65), ['k', 'k']])(
  '%j is refused as a key',
  (key) => {
    expect(() => read(key)).toThrow(expect.objectContaining({ code: 'invalid-request' }))
  },
)

test('a key may have 64 visible characters of any kind', () => {
  const key = '!~'.repeat(32)
  expect(read(key)).toMatchObject({ key })
})
