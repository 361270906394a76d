import type { FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller, from the verified access token; empty before `authenticate` has run. */
    userId: string
  }
}

/** Tells who calls: a hook that sets `request.userId` or refuses with `unauthenticated`. */
export type Authenticate = (request: FastifyRequest) => Promise<void>

const scheme = /^Bearer +([\x21-\x7e]+)$/i

/** The token of `Authorization: Bearer …`, if it is sent and has that form. */
export function bearerToken(request: FastifyRequest): string | undefined {
  return scheme.exec(request.headers.authorization ?? '')?.[1]
}
