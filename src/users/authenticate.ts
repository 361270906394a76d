import { problem } from '../problems.ts'
import type { AccessTokens } from './access-token.ts'
import type { OutsideIdentity } from './outside-identity.ts'
import { bearerToken, type Authenticate } from './user.ts'

/** Takes tokens that this service signed and, where there is one, those of the outside identity provider. */
export function authenticate(tokens: AccessTokens, outside: OutsideIdentity | undefined): Authenticate {
  return async (request) => {
    const token = bearerToken(request)
    if (token === undefined) throw problem('unauthenticated')
    const userId = outside?.claims(token) ? await outside.verify(token) : tokens.verify(token)
    if (userId === undefined) throw problem('unauthenticated')
    request.userId = userId
  }
}
