import type { FastifyReply, FastifyRequest } from 'fastify'

/** A step before a call's own code: it lets the request through, or throws its refusal. */
export type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
