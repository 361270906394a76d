import { createSigner, createVerifier } from 'fast-jwt'
import { deriveKey, rememberVerified } from '../users/access-token.ts'
import type { Place } from './queue.ts'

/**
 * The signed proof of a place: a JWT with the fan (`sub`), the concert, the number and the time of issue. It holds
 * as long as the line does, so it has no expiry: whether the place is still alive is the store's to say.
 */
export type QueueTokens = {
  sign: (place: Place) => string
  /** The place that this service signed, or undefined. No store is asked. */
  verify: (token: string) => Place | undefined
}

export function queueTokens(secret: string): QueueTokens {
  const key = deriveKey(secret, 'queue token')
  const sign = createSigner({ key, algorithm: 'HS256' })
  const verify = rememberVerified<{ sub: string; concert: number; number: number; exp?: number }>(
    createVerifier({ key, algorithms: ['HS256'], requiredClaims: ['sub', 'concert', 'number'] }),
  )
  return {
    sign: ({ userId, concertId, number }) => sign({ sub: userId, concert: concertId, number }),
    verify(token) {
      try {
        const { sub, concert, number } = verify(token)
        return { userId: sub, concertId: concert, number }
      } catch {
        // Forged or not a token: the caller refuses both alike.
        return undefined
      }
    },
  }
}
