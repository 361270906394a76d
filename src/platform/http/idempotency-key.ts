import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { httpProblem } from './problem.ts'

/** A request that its sender may repeat: the same key and the same content are the same request. */
export type IdempotencyKey = { key: string; fingerprint: string }

const visible = /^[\x21-\x7e]+$/

/**
 * Reads `Idempotency-Key`, undefined when it is not sent.
 * `content` is what makes two requests the same: the call's name and its values.
 */
export function readIdempotencyKey(
  request: FastifyRequest,
  maxLength: number,
  content: unknown[],
): IdempotencyKey | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || key.length > maxLength || !visible.test(key)) {
    throw httpProblem('invalid-request', {
      faults: [{ field: 'headers/idempotency-key', message: `must be 1 to ${maxLength} visible characters` }],
    })
  }
  return { key, fingerprint: createHash('sha256').update(JSON.stringify(content)).digest('base64url') }
}
