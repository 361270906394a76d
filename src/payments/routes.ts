import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { limits } from '../limits.ts'
import { accessSecurity, guardRefusals, guardSecurity, idempotencyHeader, refusals } from '../openapi.ts'
import { nextCursor, time, uuid, won } from '../platform/http/field.ts'
import type { Hook } from '../platform/http/hook.ts'
import { readIdempotencyKey, type IdempotencyKey } from '../platform/http/idempotency-key.ts'
import { decodeCursor, pageQuery } from '../platform/http/paging.ts'
import { settleOrReplay, type RefuseOutside } from '../queue/guard.ts'
import type { Outside } from '../queue/in-session.ts'
import { answerPay, type PayOutcome, type PayRequest } from './pay-reservation.ts'
import type { listPayments, readPayment } from './read-payments.ts'

const newPayment = Type.Object(
  { reservationId: uuid() },
  { additionalProperties: false, examples: [{ reservationId: '019abf6e-5c1a-7c3e-9f0e-3d5f6a7b8c9d' }] },
)

const payment = Type.Object(
  {
    paymentId: uuid(),
    reservationId: uuid(),
    showId: Type.Integer(),
    seats: Type.Array(Type.Object({ number: Type.Integer(), price: won() }, { additionalProperties: false })),
    amount: won({ description: 'Won taken from the balance.' }),
    balance: won({ description: 'Won left after it.' }),
    paidAt: time(),
  },
  { additionalProperties: false },
)

const paymentPath = Type.Object({ paymentId: uuid() }, { additionalProperties: false })
const listQuery = Type.Object(pageQuery(limits.pageSize, limits.cursor), { additionalProperties: false })

export function paymentRoutes(
  app: FastifyInstance,
  parts: {
    signedIn: Hook[]
    withOwnPlace: Hook
    refuseOutside: RefuseOutside
    payReservation: (request: PayRequest) => Promise<PayOutcome | Outside>
    findFirstPayment: (userId: string, key: IdempotencyKey) => Promise<PayOutcome | undefined>
    list: (userId: string, before: string | undefined, limit: number) => ReturnType<typeof listPayments>
    read: (userId: string, paymentId: string) => ReturnType<typeof readPayment>
  },
): void {
  app.post<{ Body: Static<typeof newPayment> }>(
    '/v1/payments',
    {
      onRequest: [...parts.signedIn, parts.withOwnPlace],
      schema: {
        summary: 'Pay a hold',
        description: 'Takes the total from your balance, makes the seats yours and ends your session.',
        tags: ['payments'],
        operationId: 'payReservation',
        security: guardSecurity,
        headers: idempotencyHeader,
        body: newPayment,
        response: {
          201: { description: 'Paid', ...payment },
          ...refusals(
            'invalid-request',
            ...guardRefusals,
            'insufficient-balance',
            'reservation-not-found',
            'already-paid',
            'not-held',
            'hold-expired',
            'idempotency-key-reused',
          ),
        },
      },
    },
    async (request, reply) => {
      const { userId } = request
      const reservationId = request.body.reservationId.toLowerCase()
      const idempotency = readIdempotencyKey(request, limits.idempotencyKey, ['pay', reservationId])
      const place = request.place!
      const { concertId, number: queueNumber } = place
      const settle = async (): Promise<PayOutcome> => {
        const outcome = await parts.payReservation({
          userId,
          concertId,
          queueNumber,
          reservationId,
          idempotency,
        })
        if (outcome.code === 'outside') throw await parts.refuseOutside(place, outcome.state)
        return outcome
      }
      const replay = idempotency && (() => parts.findFirstPayment(userId, idempotency))
      return reply.code(201).send(answerPay(await settleOrReplay(settle, replay)))
    },
  )

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/v1/payments',
    {
      onRequest: parts.signedIn,
      schema: {
        summary: 'List your payments',
        description: 'Newest first.',
        tags: ['payments'],
        operationId: 'listPayments',
        security: accessSecurity,
        querystring: listQuery,
        response: {
          200: {
            description: 'A page',
            ...Type.Object({ payments: Type.Array(payment), nextCursor }, { additionalProperties: false }),
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

  app.get<{ Params: Static<typeof paymentPath> }>(
    '/v1/payments/:paymentId',
    {
      onRequest: parts.signedIn,
      schema: {
        summary: 'Read a payment of yours',
        tags: ['payments'],
        operationId: 'readPayment',
        security: accessSecurity,
        params: paymentPath,
        response: {
          200: { description: 'The payment', ...payment },
          ...refusals('invalid-request', 'unauthenticated', 'payment-not-found'),
        },
      },
    },
    (request) => parts.read(request.userId, request.params.paymentId),
  )
}
