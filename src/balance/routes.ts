import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { limits } from '../limits.ts'
import { accessSecurity, idempotencyHeader, refusals } from '../openapi.ts'
import { nextCursor, time, uuid, won } from '../platform/http/field.ts'
import type { Hook } from '../platform/http/hook.ts'
import { readIdempotencyKey } from '../platform/http/idempotency-key.ts'
import { decodeCursor, pageQuery } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import { answerCharge, type ChargeOutcome, type ChargeRequest } from './charge-balance.ts'
import type { listEntries } from './read-balance.ts'

const userPath = Type.Object({ userId: uuid() }, { additionalProperties: false })
const listQuery = Type.Object(pageQuery(limits.pageSize, limits.cursor), { additionalProperties: false })

// What an amount may be is said by `invalid-amount`, so the schema takes any value.
const newCharge = Type.Object(
  { amount: Type.Unknown({ description: 'Whole won, from 1 to the limit.' }) },
  { additionalProperties: false, examples: [{ amount: 150_000 }] },
)

const entry = Type.Object(
  {
    entryId: Type.Integer(),
    kind: Type.Enum(['charge', 'payment', 'refund']),
    amount: won({ description: 'Positive into the balance, negative out of it.' }),
    balance: won({ description: 'Won after it.' }),
    reference: uuid({ description: 'The charge, payment or refund that it stands for.' }),
    createdAt: time(),
  },
  { additionalProperties: false },
)

export function balanceRoutes(
  app: FastifyInstance,
  parts: {
    signedIn: Hook[]
    chargeMax: number
    chargeBalance: (request: ChargeRequest) => Promise<ChargeOutcome>
    read: (userId: string) => Promise<number>
    listEntries: (userId: string, before: number | undefined, limit: number) => ReturnType<typeof listEntries>
  },
): void {
  const { signedIn, chargeMax } = parts

  /** The path names whose balance it is; the token says who asks. */
  function ownUserId(request: FastifyRequest<{ Params: Static<typeof userPath> }>): string {
    if (request.params.userId.toLowerCase() !== request.userId) throw problem('not-yours')
    return request.userId
  }

  app.get<{ Params: Static<typeof userPath> }>(
    '/v1/users/:userId/balance',
    {
      onRequest: signedIn,
      schema: {
        summary: 'Read your balance',
        tags: ['balance'],
        operationId: 'readBalance',
        security: accessSecurity,
        params: userPath,
        response: {
          200: {
            description: 'The balance',
            ...Type.Object({ userId: uuid(), balance: won() }, { additionalProperties: false }),
          },
          ...refusals('invalid-request', 'unauthenticated', 'not-yours'),
        },
      },
    },
    async (request) => {
      const userId = ownUserId(request)
      return { userId, balance: await parts.read(userId) }
    },
  )

  app.post<{ Params: Static<typeof userPath>; Body: Static<typeof newCharge> }>(
    '/v1/users/:userId/balance/charges',
    {
      onRequest: signedIn,
      schema: {
        summary: 'Charge your balance',
        tags: ['balance'],
        operationId: 'chargeBalance',
        security: accessSecurity,
        params: userPath,
        headers: idempotencyHeader,
        body: newCharge,
        response: {
          201: {
            description: 'Charged',
            ...Type.Object(
              { chargeId: uuid(), amount: won(), balance: won() },
              { additionalProperties: false },
            ),
          },
          ...refusals(
            'invalid-request',
            'invalid-amount',
            'unauthenticated',
            'not-yours',
            'idempotency-key-reused',
          ),
        },
      },
    },
    async (request, reply) => {
      const userId = ownUserId(request)
      const { amount } = request.body
      if (typeof amount !== 'number' || !Number.isInteger(amount) || amount < 1 || amount > chargeMax) {
        throw problem('invalid-amount', { limit: chargeMax })
      }
      const idempotency = readIdempotencyKey(request, limits.idempotencyKey, ['charge', amount])
      return reply.code(201).send(answerCharge(await parts.chargeBalance({ userId, amount, idempotency })))
    },
  )

  app.get<{ Params: Static<typeof userPath>; Querystring: Static<typeof listQuery> }>(
    '/v1/users/:userId/balance/entries',
    {
      onRequest: signedIn,
      schema: {
        summary: 'Read your ledger',
        description: 'Newest first.',
        tags: ['balance'],
        operationId: 'listEntries',
        security: accessSecurity,
        params: userPath,
        querystring: listQuery,
        response: {
          200: {
            description: 'A page',
            ...Type.Object({ entries: Type.Array(entry), nextCursor }, { additionalProperties: false }),
          },
          ...refusals('invalid-request', 'unauthenticated', 'not-yours'),
        },
      },
    },
    async (request) => {
      const userId = ownUserId(request)
      const { cursor, limit } = request.query
      const before = decodeCursor(cursor, ['integer'])
      return parts.listEntries(userId, before?.[0], limit ?? limits.pageSize)
    },
  )
}
