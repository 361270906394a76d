/** What an expected refusal looks like in the table that HTTP, the documents and OpenAPI share. */
export type ProblemKind = {
  status: number
  title: string
  /** Extra members of the body, as an example for the documents. */
  example?: Record<string, unknown>
}

/** Refusals that any HTTP service has. A service adds its own to make its one table. */
export const httpProblems = {
  'invalid-request': {
    status: 400,
    title: 'The request does not have the form that this call takes',
    example: { faults: [{ field: 'body/name', message: 'must be string' }] },
  },
  unauthenticated: { status: 401, title: 'A valid access token is needed' },
  'route-not-found': { status: 404, title: 'There is no such call' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'payload-too-large': { status: 413, title: 'The body is larger than this call takes' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'idempotency-key-reused': {
    status: 422,
    title: 'This Idempotency-Key was used for another request',
  },
  'too-many-requests': { status: 429, title: 'Too many requests; come back after Retry-After seconds' },
  'headers-too-large': { status: 431, title: 'The address and the headers are longer than any call needs' },
  internal: {
    status: 500,
    title: 'Something went wrong on our side',
    example: { traceId: '019abf6e-5c1a-7c3e-9f0e-3d5f6a7b8c9d' },
  },
  unavailable: {
    status: 503,
    title: 'The service cannot do this right now; come back after Retry-After seconds',
    example: { traceId: '019abf6e-5c1a-7c3e-9f0e-3d5f6a7b8c9d' },
  },
} as const satisfies Record<string, ProblemKind>

/**
 * An expected outcome that is not the one asked for, on its way to the caller as `application/problem+json`
 * (RFC 9457). Anything else thrown is a bug and becomes `internal`.
 */
export class Problem extends Error {
  readonly code: string
  readonly status: number
  readonly extra: Record<string, unknown>
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: string,
    kind: ProblemKind,
    extra: Record<string, unknown> & { detail?: string } = {},
    retryAfterSeconds?: number,
  ) {
    super(kind.title)
    this.code = code
    this.status = kind.status
    this.extra = extra
    this.retryAfterSeconds = retryAfterSeconds
  }

  toJSON(): Record<string, unknown> {
    return {
      type: `urn:problem:${this.code}`,
      title: this.message,
      status: this.status,
      code: this.code,
      ...this.extra,
    }
  }
}

export function httpProblem(
  code: keyof typeof httpProblems,
  extra?: Record<string, unknown>,
  retryAfterSeconds?: number,
): Problem {
  return new Problem(code, httpProblems[code], extra, retryAfterSeconds)
}
