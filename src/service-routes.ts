import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { noSecurity, refusals } from './openapi.ts'
import type { Database } from './platform/postgres/database.ts'
import { sql } from './platform/postgres/sql.ts'
import { problem } from './problems.ts'

/** What operators' machines ask. */
export function serviceRoutes(
  http: FastifyInstance,
  parts: { database: Database; metrics: () => Promise<string>; isStopping: () => boolean; hasPages: boolean },
): void {
  const ok = Type.Object({ status: Type.Literal('ok') }, { additionalProperties: false })
  http.get(
    '/healthz',
    {
      schema: {
        summary: 'Is the process alive?',
        tags: ['service'],
        operationId: 'health',
        security: noSecurity,
        response: { 200: { description: 'It is', ...ok }, ...refusals('invalid-request') },
      },
    },
    async () => ({ status: 'ok' }),
  )
  http.get(
    '/readyz',
    {
      schema: {
        summary: 'Can it serve?',
        tags: ['service'],
        operationId: 'readiness',
        security: noSecurity,
        response: { 200: { description: 'It can', ...ok }, ...refusals('invalid-request') },
      },
    },
    async () => {
      if (parts.isStopping()) throw problem('unavailable', { detail: 'This instance is stopping.' }, 1)
      await parts.database.query(sql`select 1`)
      return { status: 'ok' }
    },
  )
  http.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await parts.metrics()),
  )
  http.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) =>
    reply
      .type('application/json; charset=utf-8')
      .serializer((body: unknown) => JSON.stringify(body))
      .send(http.swagger()),
  )
  // Without pages, a person at the door is shown how to call.
  if (!parts.hasPages)
    http.get('/', { schema: { hide: true } }, async (_request, reply) => reply.redirect('/docs'))
}
