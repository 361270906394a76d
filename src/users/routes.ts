import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { limits } from '../limits.ts'
import { noSecurity, refusals } from '../openapi.ts'
import { line } from '../platform/http/field.ts'
import type { Hook } from '../platform/http/hook.ts'
import { problem } from '../problems.ts'
import type { AccessTokens } from './access-token.ts'

const newUser = Type.Object(
  { name: line(limits.text) },
  { additionalProperties: false, examples: [{ name: '민지' }] },
)
const signedUp = Type.Object({
  userId: Type.String({ format: 'uuid' }),
  name: Type.String(),
  accessToken: Type.String(),
  accessTokenExpiresAt: Type.String({ format: 'date-time' }),
})

export function userRoutes(
  app: FastifyInstance,
  parts: {
    signUp: (name: string) => Promise<{ userId: string; name: string }>
    tokens: AccessTokens
    signUpAllowed: boolean
    limitByAddress: Hook
  },
): void {
  app.post<{ Body: Static<typeof newUser> }>(
    '/v1/users',
    {
      onRequest: parts.limitByAddress,
      schema: {
        summary: 'Sign up',
        description: 'Makes a fan with an empty balance and signs them in.',
        tags: ['users'],
        operationId: 'signUp',
        security: noSecurity,
        body: newUser,
        response: {
          201: { description: 'Signed up', ...signedUp },
          ...refusals('invalid-request', 'sign-up-off'),
        },
      },
    },
    async (request, reply) => {
      if (!parts.signUpAllowed) throw problem('sign-up-off')
      const user = await parts.signUp(request.body.name)
      return reply.code(201).send({ ...user, ...parts.tokens.sign(user.userId) })
    },
  )
}
