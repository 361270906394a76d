import { createRemoteJWKSet, decodeJwt, errors, jwtVerify } from 'jose'
import { limits } from '../limits.ts'
import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'

/** Users of an outside identity provider (OpenID Connect). */
export type OutsideIdentity = {
  /** Whether the token says that it comes from that provider; nothing is verified yet. */
  claims: (token: string) => boolean
  /** The user of a token that the provider signed, made at first sight; undefined when the token is not valid. */
  verify: (token: string) => Promise<string | undefined>
}

/** Subjects remembered by one instance, so that a known fan costs no query. */
const rememberedSubjects = 100_000

/**
 * Accepts the tokens of `issuer`, whose keys are found by its discovery document. A token must be unexpired and,
 * when `audience` is set, meant for it.
 */
export function outsideIdentity(
  { issuer, audience }: { issuer: string; audience: string | undefined },
  database: Database,
): OutsideIdentity {
  const userOfSubject = new Map<string, string>()
  let keys: ReturnType<typeof createRemoteJWKSet> | undefined

  async function findKeys() {
    if (keys) return keys
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    if (!answer.ok) throw unreachable(`${url} answered ${answer.status}`)
    const { jwks_uri: jwksUri } = (await answer.json().catch(() => ({}))) as { jwks_uri?: unknown }
    if (typeof jwksUri !== 'string') throw unreachable(`${url} names no jwks_uri`)
    keys = createRemoteJWKSet(new URL(jwksUri))
    return keys
  }

  async function userOf(subject: string, name: string): Promise<string> {
    const known = userOfSubject.get(subject)
    if (known) return known
    const [user] = await database.query<{ id: string }>(sql`
      with added as (
        insert into users (id, name, issuer, subject) values (gen_random_uuid(), ${name}, ${issuer}, ${subject})
            on conflict (issuer, subject) do update set name = users.name
        returning id
      ), opened as (
        insert into balances (user_id) select id from added on conflict do nothing
      )
      select id from added`)
    if (!user) throw new Error('a user was neither found nor made')
    if (userOfSubject.size >= rememberedSubjects) userOfSubject.clear()
    userOfSubject.set(subject, user.id)
    return user.id
  }

  return {
    claims(token) {
      try {
        return decodeJwt(token).iss === issuer
      } catch {
        return false
      }
    },
    async verify(token) {
      try {
        const options = { issuer, requiredClaims: ['sub', 'exp'], ...(audience ? { audience } : {}) }
        const { payload } = await jwtVerify(token, await findKeys(), options)
        const subject = String(payload.sub)
        // PostgreSQL's text cannot hold it; whoever sends it in what names a user wants to be taken for another.
        if (subject.includes('\0')) return undefined
        const name = typeof payload['name'] === 'string' ? payload['name'].replaceAll('\0', '') : ''
        return await userOf(subject, name.slice(0, limits.text) || 'fan')
      } catch (error) {
        if (error instanceof errors.JWKSTimeout) throw unreachable('its keys did not come in time')
        // What the library says when the keys' address answers with anything but keys.
        if (error instanceof errors.JWKSInvalid || (error as { code?: string }).code === 'ERR_JOSE_GENERIC') {
          throw unreachable('its address for keys does not answer with keys')
        }
        if (error instanceof errors.JOSEError) return undefined
        if (error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError')) {
          throw unreachable(error.message)
        }
        throw error
      }
    },
  }
}

/** Looks like any other dependency that is away, so the caller is told to come back. */
function unreachable(why: string): Error {
  return Object.assign(new Error(`the identity provider cannot be asked: ${why}`), { code: 'ECONNREFUSED' })
}
