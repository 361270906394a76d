import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { limits } from '../limits.ts'
import { guardRefusals, guardSecurity, noSecurity, refusals } from '../openapi.ts'
import { line, nextCursor, readTime, time, won } from '../platform/http/field.ts'
import type { Hook } from '../platform/http/hook.ts'
import { decodeCursor, pageQuery } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import { concertProperties, concertWithShows } from './concert.ts'
import type { ConcertFilter, listConcerts, readConcert } from './read-concerts.ts'
import type { SeatMap, Show } from './read-shows.ts'
import type { SeatStreams } from './stream-seats.ts'

const day = Type.String({ format: 'date' })
const moment = Type.String({ format: 'date-time' })
const concertQuery = Type.Object(
  {
    from: Type.Optional(
      Type.Union([day, moment], { description: 'Concerts with a show at or after this day (UTC) or time.' }),
    ),
    to: Type.Optional(
      Type.Union([day, moment], { description: 'Concerts with a show before this day (UTC) or time.' }),
    ),
    q: Type.Optional(line(limits.text, { description: 'Part of a title, an artist or a venue.' })),
    ...pageQuery(limits.pageSize, limits.cursor),
  },
  { additionalProperties: false },
)

const concertPath = Type.Object({ concertId: Type.Integer({ example: 1 }) }, { additionalProperties: false })
const showPath = Type.Object({ showId: Type.Integer({ example: 1 }) }, { additionalProperties: false })

const show = Type.Object(
  {
    showId: Type.Integer(),
    startsAt: time(),
    seatsTotal: Type.Integer(),
    seatsLeft: Type.Integer(),
    priceFrom: won(),
    priceTo: won(),
  },
  { additionalProperties: false },
)

const seatMap = Type.Object({
  showId: Type.Integer(),
  seats: Type.Array(
    Type.Object({
      number: Type.Integer(),
      price: won(),
      state: Type.Enum(['available', 'held', 'sold']),
    }),
  ),
})

/** What is the same for everyone may be a second old anywhere on the way. */
const publicSecond = 'public, max-age=1'

/** A full instance sends new streams elsewhere, or to polling, for this long. */
const streamRetrySeconds = 5

/** Whether `If-None-Match` names the tag: alone, among others, or weakened by a proxy that compresses (RFC 9110). */
function isKnown(etag: string, header = ''): boolean {
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}

export function concertRoutes(
  app: FastifyInstance,
  parts: {
    signedIn: Hook[]
    withOwnPlace: Hook
    guard: (request: FastifyRequest, concertId: number) => Promise<{ activeUntil: Date }>
    list: (
      filter: ConcertFilter,
      after: [opensAt: Date, concertId: number] | undefined,
      limit: number,
    ) => ReturnType<typeof listConcerts>
    read: (concertId: number) => ReturnType<typeof readConcert>
    readShows: (concertId: number) => Promise<Show[]>
    concertOfShow: (showId: number) => Promise<number>
    readSeats: (showId: number) => Promise<SeatMap>
    seatStreams: SeatStreams
  },
): void {
  const { signedIn, withOwnPlace, guard } = parts

  app.get<{ Querystring: Static<typeof concertQuery> }>(
    '/v1/concerts',
    {
      schema: {
        summary: 'List concerts',
        description: 'Those whose sale opens last come first.',
        tags: ['concerts'],
        operationId: 'listConcerts',
        security: noSecurity,
        querystring: concertQuery,
        response: {
          200: {
            description: 'A page',
            ...Type.Object(
              {
                concerts: Type.Array(Type.Object(concertProperties, { additionalProperties: false })),
                nextCursor,
              },
              { additionalProperties: false },
            ),
          },
          ...refusals('invalid-request'),
        },
      },
    },
    async (request, reply) => {
      const { from, to, q, cursor, limit } = request.query
      const filter = {
        q,
        from: from === undefined ? undefined : readTime(from, 'querystring/from'),
        to: to === undefined ? undefined : readTime(to, 'querystring/to'),
      }
      const after = decodeCursor(cursor, ['time', 'integer'])
      return reply
        .header('cache-control', publicSecond)
        .send(await parts.list(filter, after, limit ?? limits.pageSize))
    },
  )

  app.get<{ Params: Static<typeof concertPath> }>(
    '/v1/concerts/:concertId',
    {
      schema: {
        summary: 'Read a concert',
        tags: ['concerts'],
        operationId: 'readConcert',
        security: noSecurity,
        params: concertPath,
        response: {
          200: { description: 'The concert', ...concertWithShows },
          ...refusals('invalid-request', 'concert-not-found'),
        },
      },
    },
    async (request, reply) => {
      const { concertId } = request.params
      if (concertId < 1 || concertId > limits.id) throw problem('concert-not-found')
      return reply.header('cache-control', publicSecond).send(await parts.read(concertId))
    },
  )

  app.get<{ Params: Static<typeof concertPath> }>(
    '/v1/concerts/:concertId/shows',
    {
      onRequest: [...signedIn, withOwnPlace],
      schema: {
        summary: 'List the dates of a concert',
        tags: ['concerts'],
        operationId: 'listShows',
        security: guardSecurity,
        params: concertPath,
        response: {
          200: {
            description: 'Its shows',
            ...Type.Object({ shows: Type.Array(show) }, { additionalProperties: false }),
          },
          ...refusals('invalid-request', ...guardRefusals, 'concert-not-found'),
        },
      },
    },
    async (request, reply) => {
      const { concertId } = request.params
      if (concertId !== request.place?.concertId)
        await parts.read(Math.min(Math.max(concertId, 0), limits.id))
      await guard(request, concertId)
      return reply.header('cache-control', 'no-store').send({ shows: await parts.readShows(concertId) })
    },
  )

  app.get<{ Params: Static<typeof showPath> }>(
    '/v1/shows/:showId/seats',
    {
      onRequest: [...signedIn, withOwnPlace],
      schema: {
        summary: 'Read the seat map of a show',
        description: 'Send its `ETag` as `If-None-Match` to be told 304 when nothing has changed.',
        tags: ['concerts'],
        operationId: 'readSeats',
        security: guardSecurity,
        params: showPath,
        response: {
          200: { description: 'Its seats, by number', ...seatMap },
          304: { description: 'As you know it', type: 'null' },
          ...refusals('invalid-request', ...guardRefusals, 'show-not-found'),
        },
      },
    },
    async (request, reply) => {
      const { showId } = request.params
      if (showId < 1) throw problem('show-not-found')
      await guard(request, await parts.concertOfShow(showId))
      const { json, etag } = await parts.readSeats(showId)
      reply.header('etag', etag).header('cache-control', 'private, no-cache')
      if (isKnown(etag, request.headers['if-none-match'])) return reply.code(304).send()
      // Already text, made once for everyone who asked meanwhile.
      return reply
        .type('application/json; charset=utf-8')
        .serializer((body: string) => body)
        .send(json)
    },
  )

  app.get<{ Params: Static<typeof showPath> }>(
    '/v1/shows/:showId/seats/events',
    {
      // A stream has no length to ask for.
      exposeHeadRoute: false,
      onRequest: [...signedIn, withOwnPlace],
      schema: {
        summary: 'Watch the seat map of a show',
        description:
          'Server-sent events: `seats` with the whole map, then `changes` with the seats whose state is another. ' +
          'Ends with the session; asking again tells whether there is still one.',
        tags: ['concerts'],
        operationId: 'watchSeats',
        security: guardSecurity,
        params: showPath,
        response: {
          200: {
            description: 'A stream of its seats',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          ...refusals('invalid-request', ...guardRefusals, 'show-not-found'),
        },
      },
    },
    async (request, reply) => {
      const { showId } = request.params
      if (showId < 1) throw problem('show-not-found')
      const { activeUntil } = await guard(request, await parts.concertOfShow(showId))
      if (parts.seatStreams.count() >= limits.streams)
        throw problem('unavailable', undefined, streamRetrySeconds)
      const start = await parts.seatStreams.open(showId, activeUntil)
      reply.hijack()
      start(reply.raw)
    },
  )
}
