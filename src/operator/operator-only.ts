import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { problem } from '../problems.ts'
import { bearerToken, type Authenticate } from '../users/user.ts'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Lets only the operator's token through: a fan's is `operator-only`, anything else `unauthenticated`. */
export function operatorOnly(operatorToken: string, authenticate: Authenticate) {
  const expected = digest(operatorToken)
  return async (request: FastifyRequest): Promise<void> => {
    const token = bearerToken(request)
    // Digests have one length, so the comparison takes one time whatever is sent.
    if (token !== undefined && timingSafeEqual(digest(token), expected)) return
    await authenticate(request)
    throw problem('operator-only')
  }
}
