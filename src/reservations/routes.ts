import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { limits } from '../limits.ts'
import { accessSecurity, guardRefusals, guardSecurity, idempotencyHeader, refusals } from '../openapi.ts'
import { nextCursor, time, uuid, won } from '../platform/http/field.ts'
import type { Hook } from '../platform/http/hook.ts'
import { readIdempotencyKey, type IdempotencyKey } from '../platform/http/idempotency-key.ts'
import { decodeCursor, pageQuery } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import { settleOrReplay, type Guard, type RefuseOutside } from '../queue/guard.ts'
import type { Outside } from '../queue/in-session.ts'
import { answerHold, type HoldOutcome, type HoldRequest } from './hold-seats.ts'
import type { CancelOutcome, CancelRequest } from './cancel-hold.ts'
import type { listReservations, readReservation } from './read-reservations.ts'

const seat = Type.Object({ number: Type.Integer(), price: won() }, { additionalProperties: false })

const newReservation = Type.Object(
  {
    showId: Type.Integer({ minimum: 1 }),
    seats: Type.Array(Type.Integer({ minimum: 1, maximum: limits.id }), {
      minItems: 1,
      maxItems: limits.seatNumbersPerRequest,
      uniqueItems: true,
    }),
  },
  { additionalProperties: false, examples: [{ showId: 1, seats: [7, 8] }] },
)

const held = Type.Object(
  {
    reservationId: uuid(),
    showId: Type.Integer(),
    seats: Type.Array(seat),
    total: won(),
    state: Type.Literal('held'),
    heldUntil: time({ description: 'The deadline: the seats are free again from this moment.' }),
  },
  { additionalProperties: false },
)

const reservation = Type.Object(
  {
    reservationId: uuid(),
    concertId: Type.Integer(),
    showId: Type.Integer(),
    seats: Type.Array(seat),
    total: won(),
    state: Type.Enum(['held', 'paid', 'expired', 'cancelled']),
    heldUntil: time(),
    createdAt: time(),
  },
  { additionalProperties: false },
)

const reservationPath = Type.Object({ reservationId: uuid() }, { additionalProperties: false })
const listQuery = Type.Object(pageQuery(limits.pageSize, limits.cursor), { additionalProperties: false })

export function reservationRoutes(
  app: FastifyInstance,
  parts: {
    signedIn: Hook[]
    withOwnPlace: Hook
    guard: Guard
    concertOfShow: (showId: number) => Promise<number>
    seatsPerReservationMax: number
    countSeatsOf: (userId: string, showId: number) => Promise<number>
    refuseOutside: RefuseOutside
    holdSeats: (request: HoldRequest) => Promise<HoldOutcome | Outside>
    findFirstHold: (userId: string, key: IdempotencyKey) => Promise<HoldOutcome | undefined>
    cancelHold: (request: CancelRequest) => Promise<CancelOutcome>
    list: (userId: string, before: string | undefined, limit: number) => ReturnType<typeof listReservations>
    read: (userId: string, reservationId: string) => ReturnType<typeof readReservation>
  },
): void {
  app.post<{ Body: Static<typeof newReservation> }>(
    '/v1/reservations',
    {
      onRequest: [...parts.signedIn, parts.withOwnPlace],
      schema: {
        summary: 'Hold seats',
        description: 'All of them or none, until `heldUntil`. A refusal names the seats that were taken.',
        tags: ['reservations'],
        operationId: 'holdSeats',
        security: guardSecurity,
        headers: idempotencyHeader,
        body: newReservation,
        response: {
          201: { description: 'Held', ...held },
          ...refusals(
            'invalid-request',
            ...guardRefusals,
            'show-not-found',
            'seat-not-found',
            'seat-taken',
            'too-many-seats',
            'idempotency-key-reused',
          ),
        },
      },
    },
    async (request, reply) => {
      const { userId } = request
      const { showId } = request.body
      const seats = request.body.seats.toSorted((a, b) => a - b)
      const idempotency = readIdempotencyKey(request, limits.idempotencyKey, ['hold', showId, seats])
      const concertId = await parts.concertOfShow(showId)
      const place = request.place!
      const settle = async (): Promise<HoldOutcome> => {
        if (concertId !== place.concertId) throw problem('queue-token-wrong-concert')
        if (seats.length > parts.seatsPerReservationMax) {
          await parts.guard(request)
          const have = await parts.countSeatsOf(userId, showId)
          throw problem('too-many-seats', { limit: parts.seatsPerReservationMax, have })
        }
        const queueNumber = place.number
        const outcome = await parts.holdSeats({ userId, concertId, queueNumber, showId, seats, idempotency })
        if (outcome.code === 'outside') throw await parts.refuseOutside(place, outcome.state)
        return outcome
      }
      const replay = idempotency && (() => parts.findFirstHold(userId, idempotency))
      return reply.code(201).send(answerHold(await settleOrReplay(settle, replay)))
    },
  )

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/v1/reservations',
    {
      onRequest: parts.signedIn,
      schema: {
        summary: 'List your reservations',
        description: 'Newest first.',
        tags: ['reservations'],
        operationId: 'listReservations',
        security: accessSecurity,
        querystring: listQuery,
        response: {
          200: {
            description: 'A page',
            ...Type.Object(
              { reservations: Type.Array(reservation), nextCursor },
              { additionalProperties: false },
            ),
          },
          ...refusals('invalid-request', 'unauthenticated'),
        },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query
      const before = decodeCursor(cursor, ['uuid'])
      return parts.list(request.userId, before?.[0], limit ?? limits.pageSize)
    },
  )

  app.get<{ Params: Static<typeof reservationPath> }>(
    '/v1/reservations/:reservationId',
    {
      onRequest: parts.signedIn,
      schema: {
        summary: 'Read a reservation of yours',
        tags: ['reservations'],
        operationId: 'readReservation',
        security: accessSecurity,
        params: reservationPath,
        response: {
          200: { description: 'The reservation', ...reservation },
          ...refusals('invalid-request', 'unauthenticated', 'reservation-not-found'),
        },
      },
    },
    (request) => parts.read(request.userId, request.params.reservationId),
  )

  app.delete<{ Params: Static<typeof reservationPath> }>(
    '/v1/reservations/:reservationId',
    {
      onRequest: parts.signedIn,
      schema: {
        summary: 'Cancel a hold',
        description: 'Its seats are free at once.',
        tags: ['reservations'],
        operationId: 'cancelHold',
        security: accessSecurity,
        params: reservationPath,
        response: {
          204: { description: 'Cancelled', type: 'null' },
          ...refusals('invalid-request', 'unauthenticated', 'reservation-not-found', 'not-held'),
        },
      },
    },
    async (request, reply) => {
      const outcome = await parts.cancelHold({ userId: request.userId, ...request.params })
      switch (outcome.code) {
        case 'cancelled':
          return reply.code(204).send()
        case 'reservation-not-found':
          throw problem(outcome.code)
        case 'not-held':
          throw problem(outcome.code, { state: outcome.state })
      }
    },
  )
}
