import { httpProblems, Problem, type ProblemKind } from './platform/http/problem.ts'

/** Every refusal of the service: the one table behind the answers, OpenAPI and `docs/errors.md`. */
export const problems = {
  ...httpProblems,
  'queue-token-invalid': {
    status: 401,
    title: 'The queue token is missing, forged or another fan’s',
  },
  'sign-up-off': { status: 403, title: 'Signing up here is turned off; use your identity provider' },
  'operator-only': { status: 403, title: 'Only the operator may do this' },
  'not-yours': { status: 403, title: 'This belongs to another fan' },
  'sale-not-open': {
    status: 403,
    title: 'The sale has not opened yet',
    example: { saleOpensAt: '2027-01-01T11:00:00.000Z' },
  },
  'sale-closed': { status: 403, title: 'The sale is over' },
  'queue-token-wrong-concert': { status: 403, title: 'The queue token is for another concert' },
  'not-admitted': {
    status: 403,
    title: 'It is not your turn yet',
    example: { ahead: 1532 },
  },
  'session-ended': {
    status: 403,
    title: 'Your time inside has ended; join the line again',
    example: { reason: 'expired' },
  },
  'concert-not-found': { status: 404, title: 'There is no such concert' },
  'show-not-found': { status: 404, title: 'There is no such show' },
  'seat-not-found': { status: 404, title: 'The show has no such seat', example: { seats: [51] } },
  'reservation-not-found': { status: 404, title: 'You have no such reservation' },
  'payment-not-found': { status: 404, title: 'You have no such payment' },
  'dead-letter-not-found': { status: 404, title: 'There is no such dead letter waiting' },
  'sold-out': { status: 409, title: 'Every seat of this concert is sold' },
  'seat-taken': { status: 409, title: 'A requested seat is already taken', example: { seats: [7, 8] } },
  'already-paid': { status: 409, title: 'The reservation is already paid' },
  'not-held': {
    status: 409,
    title: 'The reservation is not held any more',
    example: { state: 'cancelled' },
  },
  'hold-expired': {
    status: 410,
    title: 'The hold has expired; its seats are free again',
    example: { heldUntil: '2027-01-01T11:05:00.000Z' },
  },
  'insufficient-balance': {
    status: 402,
    title: 'The balance is too low',
    example: { balance: 50_000, required: 120_000 },
  },
  'invalid-amount': {
    status: 400,
    title: 'The amount must be a whole number of won from 1 to the limit',
    example: { limit: 10_000_000 },
  },
  'too-many-seats': {
    status: 422,
    title: 'That is more seats than one fan may have',
    example: { limit: 4, have: 3 },
  },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problems

/** Makes the refusal `code`; `extra` becomes members of its body. */
export function problem(
  code: ProblemCode,
  extra?: Record<string, unknown> & { detail?: string },
  retryAfterSeconds?: number,
): Problem {
  return new Problem(code, problems[code], extra, retryAfterSeconds)
}
