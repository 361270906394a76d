import type { FastifyInstance, FastifyReply } from 'fastify'
import Type, { type Static } from 'typebox'
import { limits } from '../limits.ts'
import { accessSecurity, noSecurity, queueSecurity, refusals } from '../openapi.ts'
import type { Hook } from '../platform/http/hook.ts'
import { problem } from '../problems.ts'
import type { Place, QueueStatus } from './queue.ts'
import type { Ending } from './queue-store.ts'
import type { PlaceStreams } from './stream-place.ts'
import type { LineWatch } from './watch-lines.ts'

/** A full instance sends new streams elsewhere, or to polling, for this long. */
const streamRetrySeconds = 5

const concertPath = Type.Object({ concertId: Type.Integer({ example: 1 }) }, { additionalProperties: false })

const publicQueue = Type.Object({
  serving: Type.Integer({ description: 'The highest number admitted so far.' }),
  issued: Type.Integer({ description: 'The highest number given so far.' }),
  admittedPerSecond: Type.Number({ description: 'Over the last ten seconds.' }),
  seatsLeft: Type.Integer(),
  paused: Type.Boolean(),
})

const statusProperties = {
  number: Type.Integer({ description: 'The place in line.' }),
  status: Type.Enum(['waiting', 'active', 'ended']),
  reason: Type.Optional(Type.Enum(['completed', 'expired', 'no-show', 'left', 'sold-out'])),
  ahead: Type.Integer({ description: 'Fans in front.' }),
  estimatedWaitSeconds: Type.Integer(),
  pollAfterMs: Type.Integer({ description: 'When to ask again.' }),
  seatsLeft: Type.Integer(),
  activeUntil: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'When the session ends.',
  }),
}
const status = Type.Object(statusProperties, { additionalProperties: false })
const joined = Type.Object({ token: Type.String(), ...statusProperties }, { additionalProperties: false })

/** What `Retry-After` says in whole seconds, for clients that know only that. */
function hint(reply: FastifyReply, { pollAfterMs }: QueueStatus): FastifyReply {
  return reply.header('retry-after', Math.ceil(pollAfterMs / 1000)).header('cache-control', 'no-store')
}

export function queueRoutes(
  app: FastifyInstance,
  parts: {
    signedIn: Hook[]
    withPlace: Hook
    joinQueue: (
      concertId: number,
      userId: string,
    ) => Promise<{ isNew: boolean; answer: QueueStatus & { token: string } }>
    readPlace: (place: Place) => Promise<QueueStatus>
    endPlace: (ending: Ending) => Promise<void>
    watch: LineWatch
    streams: PlaceStreams
  },
): void {
  const { signedIn, withPlace, joinQueue, readPlace, endPlace, watch, streams } = parts

  app.get<{ Params: Static<typeof concertPath> }>(
    '/v1/concerts/:concertId/queue',
    {
      schema: {
        summary: 'See a line',
        description:
          'Public, and the same for everyone for a second, so that an edge cache can carry any crowd.',
        tags: ['queue'],
        operationId: 'readQueue',
        security: noSecurity,
        params: concertPath,
        response: {
          200: { description: 'The line', ...publicQueue },
          ...refusals('invalid-request', 'concert-not-found'),
        },
      },
    },
    async (request, reply) => {
      const { serving, issued, admittedPerSecond, seatsLeft, paused } = await watch.snapshot(
        request.params.concertId,
      )
      return reply
        .header('cache-control', 'public, max-age=1')
        .send({ serving, issued, admittedPerSecond, seatsLeft, paused })
    },
  )

  app.post<{ Params: Static<typeof concertPath> }>(
    '/v1/concerts/:concertId/queue',
    {
      onRequest: signedIn,
      schema: {
        summary: 'Join a line',
        description: 'Gives the next number, or the place that you already have.',
        tags: ['queue'],
        operationId: 'joinQueue',
        security: accessSecurity,
        params: concertPath,
        body: Type.Object({}, { additionalProperties: false, examples: [{}] }),
        response: {
          201: { description: 'A new place', ...joined },
          200: { description: 'The place you already have', ...joined },
          ...refusals(
            'invalid-request',
            'unauthenticated',
            'sale-not-open',
            'sale-closed',
            'concert-not-found',
            'sold-out',
          ),
        },
      },
    },
    async (request, reply) => {
      const { isNew, answer } = await joinQueue(request.params.concertId, request.userId)
      return hint(reply, answer)
        .code(isNew ? 201 : 200)
        .send(answer)
    },
  )

  app.get(
    '/v1/queue',
    {
      onRequest: withPlace,
      schema: {
        summary: 'See your place',
        description: 'Come back after `pollAfterMs`. An admitted fan’s first call starts the whole session.',
        tags: ['queue'],
        operationId: 'readPlace',
        security: queueSecurity,
        response: {
          200: { description: 'Your place', ...status },
          ...refusals('invalid-request', 'queue-token-invalid'),
        },
      },
    },
    async (request, reply) => {
      const answer = await readPlace(request.place!)
      return hint(reply, answer).send(answer)
    },
  )

  app.get(
    '/v1/queue/events',
    {
      // A stream has no length to ask for.
      exposeHeadRoute: false,
      onRequest: withPlace,
      schema: {
        summary: 'Watch your place',
        description: 'Server-sent events named `queue` with the same state, whenever it changes.',
        tags: ['queue'],
        operationId: 'watchPlace',
        security: queueSecurity,
        response: {
          200: {
            description: 'A stream of your place',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          ...refusals('invalid-request', 'queue-token-invalid'),
        },
      },
    },
    async (request, reply) => {
      const place = request.place!
      if (streams.count() >= limits.streams) throw problem('unavailable', undefined, streamRetrySeconds)
      // A concert that is gone is refused before the answer has begun.
      await watch.snapshot(place.concertId)
      reply.hijack()
      await streams.open(place, reply.raw)
    },
  )

  app.delete(
    '/v1/queue',
    {
      onRequest: withPlace,
      schema: {
        summary: 'Leave the line',
        description: 'Gives up the place, waiting or inside. Seats held stay held until their deadline.',
        tags: ['queue'],
        operationId: 'leaveQueue',
        security: queueSecurity,
        response: {
          204: { description: 'Left', type: 'null' },
          ...refusals('invalid-request', 'queue-token-invalid'),
        },
      },
    },
    async (request, reply) => {
      const place = request.place!
      await endPlace({ ...place, reason: 'left' })
      watch.noteLeft(place)
      return reply.code(204).send()
    },
  )
}
