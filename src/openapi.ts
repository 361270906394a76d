import type { OpenAPIV3_1 } from 'openapi-types'
import Type from 'typebox'
import { limits } from './limits.ts'
import { problems, type ProblemCode } from './problems.ts'
import type { ProblemKind } from './platform/http/problem.ts'

/** What a refusal's body is when it is one of these. */
const refusal = (status: number, codes: ProblemCode[]) =>
  Type.Object(
    {
      type: Type.Enum(codes.map((code) => `urn:problem:${code}`)),
      title: Type.String(),
      status: Type.Literal(status),
      code: Type.Enum(codes),
      detail: Type.Optional(Type.String()),
    },
    { additionalProperties: true },
  )

/** Refusals that every call may give. */
const everywhere: ProblemCode[] = [
  'payload-too-large',
  'unsupported-media-type',
  'too-many-requests',
  'internal',
  'unavailable',
]

/** The refusals of calls that the waiting line protects. */
export const guardRefusals = [
  'unauthenticated',
  'queue-token-invalid',
  'queue-token-wrong-concert',
  'not-admitted',
  'session-ended',
] as const satisfies ProblemCode[]

/** The response schemas of these refusals and of those that any call may give, each with an example. */
export function refusals(...codes: ProblemCode[]): Record<number, unknown> {
  const byStatus = Map.groupBy(new Set([...codes, ...everywhere]), (code) => problems[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, these]) => [
      status,
      {
        description: these.map((code) => `\`${code}\`: ${problems[code].title}`).join('\n\n'),
        content: {
          'application/problem+json': {
            schema: refusal(status, these),
            examples: Object.fromEntries(these.map((code) => [code, { value: exampleOf(code) }])),
          },
        },
      },
    ]),
  )
}

function exampleOf(code: ProblemCode): Record<string, unknown> {
  const kind: ProblemKind = problems[code]
  return { type: `urn:problem:${code}`, title: kind.title, status: kind.status, code, ...kind.example }
}

/** What the document says of the service as a whole. */
export const openapi: Partial<OpenAPIV3_1.Document> = {
  openapi: '3.1.0',
  info: {
    title: 'Frontrow',
    version: '1',
    description:
      'Sells concert seats fairly when far more people want them than there are seats. Join the line, wait your turn, ' +
      'hold seats, pay from your balance. Money is whole won; times are RFC 3339 in UTC; every refusal is ' +
      '`application/problem+json` with a stable `code`.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/' }],
  tags: [
    { name: 'users', description: 'Who buys' },
    { name: 'concerts', description: 'What is on sale' },
    { name: 'queue', description: 'The line' },
    { name: 'reservations', description: 'Seats held, and what became of them' },
    { name: 'payments', description: 'Balance to seats, once' },
    { name: 'balance', description: 'Prepaid won and its ledger' },
    { name: 'operator', description: 'Running a sale' },
    { name: 'service', description: 'The service itself' },
  ],
  components: {
    securitySchemes: {
      accessToken: {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'JWT',
        description: 'The fan’s access token.',
      },
      queueToken: {
        type: 'apiKey',
        in: 'header',
        name: 'Queue-Token',
        description: 'The place in line, as joining gave it.',
      },
      operatorToken: { type: 'http', scheme: 'bearer', description: 'The operator’s token.' },
    },
  },
}

/** The page's files are its own, and it asks nobody else. To call for https would break it at any address but localhost. */
export const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** What the routes' schemas cannot say: a body without a member that must be there may be left out. */
export function markOptionalBodies(made: object): object {
  const { openapiObject: document } = made as { openapiObject: OpenAPIV3_1.Document }
  for (const calls of Object.values(document.paths ?? {})) {
    for (const call of [calls?.post, calls?.patch]) {
      const body = call?.requestBody as OpenAPIV3_1.RequestBodyObject | undefined
      const schema = body?.content['application/json']?.schema
      if (body && schema && !('required' in schema || 'minProperties' in schema)) body.required = false
    }
  }
  return document
}

/** For calls that anyone may make. */
export const noSecurity = []
export const accessSecurity = [{ accessToken: [] }]
export const queueSecurity = [{ queueToken: [] }]
export const guardSecurity = [{ accessToken: [], queueToken: [] }]
export const operatorSecurity = [{ operatorToken: [] }]

/** Header that makes a POST repeatable. */
export const idempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.idempotencyKey,
      pattern: '^[\\x21-\\x7e]*$',
      description: `Up to ${limits.idempotencyKey} visible characters; the same key and body replays the first answer for ${limits.idempotencyHours} hours.`,
    }),
  ),
})
