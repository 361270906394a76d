import { expect, test } from 'vitest'
import { answerHold, type HoldOutcome } from './hold-seats.ts'
import { seatsOf } from './reservation.ts'

test('each seat of a row keeps its own price', () => {
  expect(seatsOf([3, 7], [10_000, 25_000])).toEqual([
    { number: 3, price: 10_000 },
    { number: 7, price: 25_000 },
  ])
  expect(seatsOf([], [])).toEqual([])
})

test('a held outcome answers with the reservation and its deadline as a time', () => {
  const answer = {
    reservationId: '018f4e4c-0000-7000-8000-000000000000',
    showId: 1,
    seats: [{ number: 7, price: 10_000 }],
    total: 10_000,
    state: 'held' as const,
    heldUntil: '2027-01-01T11:05:00.123+00:00',
  }
  expect(answerHold({ code: 'held', answer })).toEqual({
    ...answer,
    heldUntil: new Date('2027-01-01T11:05:00.123Z'),
  })
})

test.for<[HoldOutcome, number, Record<string, unknown>]>([
  [{ code: 'seat-taken', seats: [9, 7] }, 409, { seats: [7, 9] }],
  [{ code: 'seat-not-found', seats: [51] }, 404, { seats: [51] }],
  [{ code: 'too-many-seats', limit: 4, have: 3 }, 422, { limit: 4, have: 3 }],
  [{ code: 'idempotency-key-reused' }, 422, {}],
])('$0.code is a refusal that says what is in the way', ([outcome, status, extra]) => {
  expect(() => answerHold(outcome)).toThrow(expect.objectContaining({ code: outcome.code, status, extra }))
})
