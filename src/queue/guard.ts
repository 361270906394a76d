import type { FastifyRequest } from 'fastify'
import { Problem } from '../platform/http/problem.ts'
import { problem } from '../problems.ts'
import type { Outside } from './in-session.ts'
import { aheadOf, type Place, type PlaceState } from './queue.ts'
import type { QueueTokens } from './queue-token.ts'
import type { LineWatch } from './watch-lines.ts'

/** An admitted fan's place, and until when the session runs. */
export type Session = Place & { activeUntil: Date }

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller's place, from the verified queue token; null before `readQueueToken` has run. */
    place: Place | null
  }
}

/** Reads `Queue-Token`: its signature proves the place, no store is asked. */
export function readQueueToken(tokens: QueueTokens) {
  return async (request: FastifyRequest): Promise<void> => {
    const token = request.headers['queue-token']
    const place = typeof token === 'string' ? tokens.verify(token) : undefined
    if (!place) throw problem('queue-token-invalid')
    request.place = place
  }
}

/** As `readQueueToken`, and the place must be the caller's own: nobody goes in with another fan's. */
export function readOwnQueueToken(tokens: QueueTokens) {
  const read = readQueueToken(tokens)
  return async (request: FastifyRequest): Promise<void> => {
    await read(request)
    if (request.place?.userId !== request.userId) throw problem('queue-token-invalid')
  }
}

export type Guard = (request: FastifyRequest, concertId?: number) => Promise<Session>

/**
 * Lets an admitted fan through to what `concertId` protects, or refuses: `queue-token-wrong-concert`, `not-admitted`
 * with the number of fans ahead, `session-ended` with the reason. The store is always asked, many requests at once.
 */
export function guard(refuse: RefuseOutside, touch: (place: Place) => Promise<PlaceState>): Guard {
  return async ({ place }, concertId) => {
    if (!place) throw new Error('a guarded route did not read the queue token')
    if (concertId !== undefined && concertId !== place.concertId) throw problem('queue-token-wrong-concert')
    const state = await touch(place)
    if (state.status === 'active') return { ...place, activeUntil: state.activeUntil }
    throw await refuse(place, state)
  }
}

export type RefuseOutside = (place: Place, state: Outside['state']) => Promise<Problem>

/** What a fan is told who is not inside: `not-admitted` with the number of fans ahead, or `session-ended` and why. */
export function refuseOutside(watch: LineWatch): RefuseOutside {
  return async (place, state) => {
    if (state.status === 'ended') return problem('session-ended', { reason: state.reason })
    const { serving } = await watch.snapshot(place.concertId)
    return problem('not-admitted', { ahead: aheadOf(place.number, serving) })
  }
}

/**
 * Settles a request, or finds the first answer to a repeated one that is refused before its statement could find it: a
 * payment is replayed although it ended the session.
 */
export async function settleOrReplay<Outcome>(
  settle: () => Promise<Outcome>,
  replay: (() => Promise<Outcome | undefined>) | undefined,
): Promise<Outcome> {
  try {
    return await settle()
  } catch (refusal) {
    const first = refusal instanceof Problem ? await replay?.() : undefined
    if (first === undefined) throw refusal
    return first
  }
}
