import { hkdfSync } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'

/** Signed by this service, so that a token names its user without asking a store. */
export type AccessTokens = {
  /** A token for `userId`, and when it stops being one. */
  sign: (userId: string) => { accessToken: string; accessTokenExpiresAt: Date }
  /** The user of a token that this service signed and that has not expired; otherwise undefined. */
  verify: (token: string) => string | undefined
}

export const accessTokenIssuer = 'frontrow'

/** Verified tokens of one kind that an instance remembers. */
const rememberedTokens = 10_000

/**
 * A fan's calls come close together with the same token, whose signature is then checked once. Only what was verified
 * is remembered, by the whole token: a forged one neither meets a remembered one nor takes its room.
 */
export function rememberVerified<Claims extends { exp?: number }>(
  verify: (token: string) => Claims,
): (token: string) => Claims {
  const verified = new Map<string, Claims>()
  return (token) => {
    const known = verified.get(token)
    if (known && (known.exp === undefined || known.exp * 1000 > Date.now())) return known
    const claims = verify(token)
    if (verified.size >= rememberedTokens) verified.clear()
    verified.set(token, claims)
    return claims
  }
}

/** One secret, a key per kind of token: one kind can never pass for another. */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'frontrow', purpose, 32))
}

export function accessTokens(secret: string, lifetimeSeconds: number): AccessTokens {
  const key = deriveKey(secret, 'access token')
  const sign = createSigner({
    key,
    algorithm: 'HS256',
    iss: accessTokenIssuer,
    expiresIn: lifetimeSeconds * 1000,
  })
  const verify = rememberVerified<{ sub: unknown; exp: number }>(
    createVerifier({
      key,
      algorithms: ['HS256'],
      allowedIss: accessTokenIssuer,
      requiredClaims: ['iss', 'sub', 'exp'],
    }),
  )
  return {
    sign(userId) {
      const issuedAt = Math.floor(Date.now() / 1000)
      return {
        accessToken: sign({ sub: userId, iat: issuedAt }),
        accessTokenExpiresAt: new Date((issuedAt + lifetimeSeconds) * 1000),
      }
    },
    verify(token) {
      try {
        const { sub } = verify(token)
        return typeof sub === 'string' ? sub : undefined
      } catch {
        // Forged, expired or not a token: the caller refuses all alike.
        return undefined
      }
    },
  }
}
