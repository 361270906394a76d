import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { concertWithShows } from '../concerts/concert.ts'
import type { readConcert } from '../concerts/read-concerts.ts'
import type { listDeadLetters, replayDeadLetter } from '../events/dead-letters.ts'
import { limits } from '../limits.ts'
import { operatorSecurity, refusals } from '../openapi.ts'
import { line, nextCursor, readTime, time, uuid, won } from '../platform/http/field.ts'
import { decodeCursor, pageQuery } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import type { InvariantResult } from './check-invariants.ts'
import type { QueueChange, QueueSettings } from './change-queue.ts'
import type { ShowSales } from './count-sales.ts'
import type { NewConcert } from './create-concert.ts'

const text = line(limits.text)
const capacity = Type.Integer({ minimum: 1, maximum: limits.queueCapacity })
const ratePerSecond = Type.Number({ exclusiveMinimum: 0, maximum: limits.queueRatePerSecond })

const newConcert = Type.Object(
  {
    title: text,
    artist: text,
    venue: text,
    saleOpensAt: time(),
    saleClosesAt: time(),
    queue: Type.Optional(
      Type.Object(
        { capacity: Type.Optional(capacity), ratePerSecond: Type.Optional(ratePerSecond) },
        { additionalProperties: false },
      ),
    ),
    shows: Type.Array(
      Type.Object(
        {
          startsAt: time(),
          seats: Type.Array(
            Type.Object(
              {
                from: Type.Integer({ minimum: 1, maximum: limits.id }),
                to: Type.Integer({ minimum: 1, maximum: limits.id }),
                price: Type.Integer({ minimum: 0, maximum: limits.seatPrice }),
              },
              { additionalProperties: false },
            ),
            { minItems: 1, maxItems: limits.seatRangesPerShow },
          ),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: limits.showsPerConcert },
    ),
  },
  {
    additionalProperties: false,
    examples: [
      {
        title: 'First Light',
        artist: 'Demo Orchestra',
        venue: 'Riverside Hall, Seoul',
        saleOpensAt: '2027-01-01T11:00:00Z',
        saleClosesAt: '2027-03-01T11:00:00Z',
        queue: { capacity: 100, ratePerSecond: 50 },
        shows: [
          {
            startsAt: '2027-03-02T10:00:00Z',
            seats: [
              { from: 1, to: 10, price: 150_000 },
              { from: 11, to: 50, price: 110_000 },
            ],
          },
        ],
      },
    ],
  },
)

const queueChange = Type.Object(
  {
    paused: Type.Optional(Type.Boolean()),
    capacity: Type.Optional(capacity),
    ratePerSecond: Type.Optional(ratePerSecond),
  },
  { additionalProperties: false, minProperties: 1, examples: [{ paused: true }] },
)
const queueSettings = Type.Object(
  {
    concertId: Type.Integer(),
    paused: Type.Boolean(),
    capacity: Type.Union([Type.Integer(), Type.Null()], { description: 'Null: the service’s default.' }),
    ratePerSecond: Type.Union([Type.Number(), Type.Null()], { description: 'Null: the service’s default.' }),
  },
  { additionalProperties: false },
)

const concertPath = Type.Object({ concertId: Type.Integer({ example: 1 }) }, { additionalProperties: false })
const letterPath = Type.Object(
  { deadLetterId: Type.Integer({ example: 1 }) },
  { additionalProperties: false },
)
const listQuery = Type.Object(pageQuery(limits.pageSize, limits.cursor), { additionalProperties: false })

const deadLetter = Type.Object(
  {
    deadLetterId: Type.Integer(),
    consumer: Type.String(),
    event: Type.Object(
      { id: uuid(), type: Type.String(), subject: Type.String(), time: time() },
      { additionalProperties: true },
    ),
    error: Type.String(),
    attempts: Type.Integer(),
    failedAt: time(),
  },
  { additionalProperties: false },
)

/** What a schema cannot say of a new concert. */
function faultsOf({
  saleOpensAt,
  saleClosesAt,
  shows,
}: Static<typeof newConcert>): { field: string; message: string }[] {
  const faults: { field: string; message: string }[] = []
  if (new Date(saleClosesAt) <= new Date(saleOpensAt)) {
    faults.push({ field: 'body/saleClosesAt', message: 'must be after saleOpensAt' })
  }
  let total = 0
  shows.forEach(({ seats }, show) => {
    const ranges = seats.toSorted((a, b) => a.from - b.from)
    let inShow = 0
    ranges.forEach(({ from, to }, index) => {
      const before = ranges[index - 1]
      if (to < from)
        faults.push({ field: `body/shows/${show}/seats`, message: `${from} to ${to} is no range` })
      else if (before && from <= before.to) {
        faults.push({ field: `body/shows/${show}/seats`, message: `seat ${from} is in two ranges` })
      }
      inShow += Math.max(0, to - from + 1)
    })
    if (inShow > limits.seatsPerShow) {
      faults.push({
        field: `body/shows/${show}/seats`,
        message: `has more than ${limits.seatsPerShow} seats`,
      })
    }
    total += inShow
  })
  if (total > limits.seatsPerConcert) {
    faults.push({ field: 'body/shows', message: `have more than ${limits.seatsPerConcert} seats together` })
  }
  return faults.slice(0, 10)
}

export function operatorRoutes(
  app: FastifyInstance,
  parts: {
    operatorOnly: (request: FastifyRequest) => Promise<void>
    createConcert: (concert: NewConcert) => Promise<number>
    readConcert: (concertId: number) => ReturnType<typeof readConcert>
    changeQueue: (concertId: number, change: QueueChange) => Promise<QueueSettings>
    readSales: (concertId: number) => Promise<ShowSales[]>
    checkInvariants: () => Promise<InvariantResult[]>
    listDeadLetters: (after: number | undefined, limit: number) => ReturnType<typeof listDeadLetters>
    replayDeadLetter: (deadLetterId: number) => ReturnType<typeof replayDeadLetter>
  },
): void {
  const { operatorOnly } = parts
  const common = { tags: ['operator'], security: operatorSecurity }
  const denied = ['invalid-request', 'unauthenticated', 'operator-only'] as const

  app.post<{ Body: Static<typeof newConcert> }>(
    '/v1/operator/concerts',
    {
      onRequest: operatorOnly,
      bodyLimit: limits.concertBodyBytes,
      schema: {
        ...common,
        summary: 'Put a concert up for sale',
        operationId: 'createConcert',
        body: newConcert,
        response: { 201: { description: 'The concert', ...concertWithShows }, ...refusals(...denied) },
      },
    },
    async (request, reply) => {
      const { body } = request
      const faults = faultsOf(body)
      if (faults.length > 0) throw problem('invalid-request', { faults })
      const concertId = await parts.createConcert({
        ...body,
        saleOpensAt: readTime(body.saleOpensAt, 'body/saleOpensAt'),
        saleClosesAt: readTime(body.saleClosesAt, 'body/saleClosesAt'),
        queue: { capacity: body.queue?.capacity, ratePerSecond: body.queue?.ratePerSecond },
        shows: body.shows.map(({ startsAt, seats }) => ({
          startsAt: readTime(startsAt, 'body/shows/startsAt'),
          seats,
        })),
      })
      return reply.code(201).send(await parts.readConcert(concertId))
    },
  )

  app.patch<{ Params: Static<typeof concertPath>; Body: Static<typeof queueChange> }>(
    '/v1/operator/concerts/:concertId/queue',
    {
      onRequest: operatorOnly,
      schema: {
        ...common,
        summary: 'Pause a line, or change how many it lets in',
        operationId: 'changeQueue',
        params: concertPath,
        body: queueChange,
        response: {
          200: { description: 'What holds now', ...queueSettings },
          ...refusals(...denied, 'concert-not-found'),
        },
      },
    },
    (request) => parts.changeQueue(existing(request.params.concertId), request.body),
  )

  app.get<{ Params: Static<typeof concertPath> }>(
    '/v1/operator/concerts/:concertId/sales',
    {
      onRequest: operatorOnly,
      schema: {
        ...common,
        summary: 'See what a concert has sold',
        operationId: 'readSales',
        params: concertPath,
        response: {
          200: {
            description: 'Per show, counted from payment events',
            ...Type.Object(
              {
                concertId: Type.Integer(),
                shows: Type.Array(
                  Type.Object(
                    {
                      showId: Type.Integer(),
                      payments: Type.Integer(),
                      seats: Type.Integer(),
                      amount: won(),
                    },
                    { additionalProperties: false },
                  ),
                ),
              },
              { additionalProperties: false },
            ),
          },
          ...refusals(...denied, 'concert-not-found'),
        },
      },
    },
    async (request) => {
      const { concertId } = request.params
      const shows = await parts.readSales(existing(concertId))
      if (shows.length === 0) throw problem('concert-not-found')
      return { concertId, shows }
    },
  )

  app.get(
    '/v1/operator/invariants',
    {
      onRequest: operatorOnly,
      schema: {
        ...common,
        summary: 'Check the promises',
        description: 'Reads whole tables on one snapshot: for after a sale, or when you have to know now.',
        operationId: 'checkInvariants',
        response: {
          200: {
            description: 'Each promise, and what breaks it',
            ...Type.Object(
              {
                hold: Type.Boolean({ description: 'Whether all do.' }),
                invariants: Type.Array(
                  Type.Object(
                    {
                      name: Type.String(),
                      holds: Type.Boolean(),
                      violations: Type.Array(Type.Object({}, { additionalProperties: true })),
                    },
                    { additionalProperties: false },
                  ),
                ),
              },
              { additionalProperties: false },
            ),
          },
          ...refusals(...denied),
        },
      },
    },
    async () => {
      const invariants = await parts.checkInvariants()
      return { hold: invariants.every(({ holds }) => holds), invariants }
    },
  )

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/v1/operator/dead-letters',
    {
      onRequest: operatorOnly,
      schema: {
        ...common,
        summary: 'List events that a consumer could not deal with',
        operationId: 'listDeadLetters',
        querystring: listQuery,
        response: {
          200: {
            description: 'A page, oldest first',
            ...Type.Object(
              { deadLetters: Type.Array(deadLetter), nextCursor },
              { additionalProperties: false },
            ),
          },
          ...refusals(...denied),
        },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query
      const after = decodeCursor(cursor, ['integer'])
      return parts.listDeadLetters(after?.[0], limit ?? limits.pageSize)
    },
  )

  app.post<{ Params: Static<typeof letterPath> }>(
    '/v1/operator/dead-letters/:deadLetterId/replay',
    {
      onRequest: operatorOnly,
      schema: {
        ...common,
        summary: 'Give a dead letter to its consumer again',
        description: 'Its effect happens once, whatever has happened since.',
        operationId: 'replayDeadLetter',
        params: letterPath,
        body: Type.Object({}, { additionalProperties: false, examples: [{}] }),
        response: {
          200: {
            description: 'Whether it worked',
            ...Type.Object(
              {
                deadLetterId: Type.Integer(),
                replayed: Type.Boolean(),
                error: Type.Union([Type.String(), Type.Null()]),
              },
              { additionalProperties: false },
            ),
          },
          ...refusals(...denied, 'dead-letter-not-found'),
        },
      },
    },
    (request) => parts.replayDeadLetter(request.params.deadLetterId),
  )
}

/** An id that no concert can have is answered like one that none has. */
function existing(concertId: number): number {
  if (concertId < 1 || concertId > limits.id) throw problem('concert-not-found')
  return concertId
}
