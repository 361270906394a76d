/** What the service says when it does not do what was asked: `application/problem+json` with a stable code. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly body: Record<string, unknown>
  readonly retryAfterMs: number | undefined

  constructor(status: number, body: Record<string, unknown>, retryAfterMs?: number) {
    const code = typeof body['code'] === 'string' ? body['code'] : 'internal'
    super(code)
    this.status = status
    this.code = code
    this.body = body
    this.retryAfterMs = retryAfterMs
  }

  /** The service could not, this time: the same request may succeed later, and must keep its key. */
  get isPassing(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408
  }

  /** Seat numbers that a refusal names. */
  get seats(): number[] {
    const { seats } = this.body
    return Array.isArray(seats) ? seats.filter((seat) => typeof seat === 'number') : []
  }

  number(name: string): number | undefined {
    const value = this.body[name]
    return typeof value === 'number' ? value : undefined
  }

  text(name: string): string | undefined {
    const value = this.body[name]
    return typeof value === 'string' ? value : undefined
  }
}

/** Nothing came back: whether the service did it is not known. */
export class NoAnswer extends Error {}

export function isPassing(error: unknown): boolean {
  return error instanceof NoAnswer || (error instanceof Refusal && error.isPassing)
}
