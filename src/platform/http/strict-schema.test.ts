import fc from 'fast-check'
import type { FastifySchema } from 'fastify'
import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import type { Problem } from './problem.ts'
import { strictSerializer, strictValidator } from './strict-schema.ts'

type Part = 'body' | 'params' | 'querystring' | 'headers'

const inWords = { method: 'POST', url: '/v1/things' }

/** What the schema makes of `data`: its value, or the faults that it is refused with. */
function check(schema: unknown, httpPart: Part, data: unknown): { value?: unknown; faults?: unknown } {
  const validate = strictValidator({ ...inWords, schema: schema as FastifySchema, httpPart })
  const result: unknown = validate(data)
  if (typeof result !== 'object' || result === null) throw new Error('the validator says neither yes nor no')
  if ('error' in result) return { faults: (result.error as Problem).extra['faults'] }
  return result
}

const thing = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    size: Type.Integer({ minimum: 1 }),
    note: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)

describe('bodies', () => {
  test('what has the right form passes as it is', () => {
    expect(check(thing, 'body', { name: 'a', size: 1 })).toEqual({ value: { name: 'a', size: 1 } })
  })

  test.for([
    ['a number in words', { name: 'a', size: '1' }],
    ['null for a number', { name: 'a', size: null }],
    ['a truth for a number', { name: 'a', size: true }],
    ['a fraction', { name: 'a', size: 1.5 }],
    ['a number for text', { name: 1, size: 1 }],
    ['null for what may be left out', { name: 'a', size: 1, note: null }],
    ['a missing field', { name: 'a' }],
    ['an unknown field', { name: 'a', size: 1, extra: 1 }],
    ['a list for an object', [{ name: 'a', size: 1 }]],
    ['no body', undefined],
    ['null', null],
    ['text', 'name'],
  ] as const)('%s is refused, not made to fit', ([, body]) => {
    expect(check(thing, 'body', body)).toHaveProperty('faults')
  })

  test('a refusal says where and what, and names what it does not know', () => {
    expect(check(thing, 'body', { name: '', size: 0, extra: 1, other: 2 }).faults).toEqual(
      expect.arrayContaining([
        { field: 'body', message: 'has unknown fields: extra, other' },
        { field: 'body/name', message: expect.stringContaining('fewer than 1') },
        { field: 'body/size', message: 'must be >= 1' },
      ]),
    )
  })

  test('a refusal tells of some faults, however many there are', () => {
    const list = Type.Array(Type.Integer())
    const { faults } = check(list, 'body', Array(1_000).fill('x'))
    expect(faults).toContainEqual({ field: 'body/0', message: 'must be integer' })
    expect((faults as unknown[]).length).toBeLessThanOrEqual(10)
  })

  test('a body whose fields may all be left out may be left out, too, unless it needs one of them', () => {
    const change = { size: Type.Optional(Type.Integer()) }
    const free = Type.Object(change, { additionalProperties: false })
    expect(check(free, 'body', undefined)).toEqual({ value: {} })
    expect(check(free, 'body', null)).toEqual({ value: {} })
    const some = Type.Object(change, { additionalProperties: false, minProperties: 1 })
    expect(check(some, 'body', undefined)).toHaveProperty('faults')
    expect(check(some, 'body', {})).toHaveProperty('faults')
  })

  test('what passes is what was sent, whatever it was', () => {
    const likely = fc.record(
      {
        name: fc.oneof(fc.string(), fc.integer()),
        size: fc.oneof(fc.integer(), fc.double()),
        note: fc.string(),
      },
      { requiredKeys: ['name', 'size'] },
    )
    fc.assert(
      fc.property(fc.oneof(likely, fc.anything()), (data) => {
        const { value, faults } = check(thing, 'body', data)
        const isRefused = Array.isArray(faults) && faults.length > 0
        expect(isRefused ? data : value).toBe(data)
      }),
    )
  })
})

describe.for(['params', 'querystring'] as const)('%s', (part) => {
  const numbered = Type.Object({ id: Type.Integer(), text: Type.Optional(Type.String()) })

  test('an integer is read from how it is written', () => {
    fc.assert(
      fc.property(fc.integer({ min: -999_999_999, max: 999_999_999 }), (id) => {
        expect(check(numbered, part, { id: `${id}` })).toEqual({ value: { id } })
      }),
    )
  })

  test.for(['1e3', '0x10', ' 7', '7 ', '07', '+7', '-0', '1.0', '', '٧', '99999999999999999999', 'NaN'])(
    '%j is no integer',
    (id) => {
      expect(check(numbered, part, { id })).toHaveProperty('faults')
    },
  )

  test('text that looks like a number stays text', () => {
    expect(check(numbered, part, { id: '1', text: '7' })).toEqual({ value: { id: 1, text: '7' } })
  })

  test('the same field twice is refused', () => {
    expect(check(numbered, part, { id: ['1', '2'] })).toHaveProperty('faults')
  })
})

describe('answers', () => {
  const receipt = Type.Object(
    { amount: Type.Integer(), at: Type.String({ format: 'date-time' }) },
    { additionalProperties: false },
  )
  const write = strictSerializer({
    ...inWords,
    schema: receipt as FastifySchema,
    httpStatus: '201',
  })

  test('an answer that fits is written whole, times in RFC 3339', () => {
    const at = new Date('2027-01-01T00:00:00.000Z')
    expect(write({ amount: 9_007_199_254_740_991, at })).toBe(
      '{"amount":9007199254740991,"at":"2027-01-01T00:00:00.000Z"}',
    )
  })

  test.for([
    ['a fraction of a won', { amount: 0.5, at: new Date() }],
    ['money in words', { amount: '5', at: new Date() }],
    ['a field that nobody asked for', { amount: 5, at: new Date(), secret: 'x' }],
    ['a missing field', { amount: 5 }],
  ] as const)('%s is a failure, never rounded or trimmed', ([, answer]) => {
    expect(() => write(answer)).toThrow('answer 201 of /v1/things')
  })
})
