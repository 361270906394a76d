import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { Random } from './random.ts'
import { count, type Tally } from './tally.ts'

export type Answer<Body> = { status: number; body: Body }

export type Call = {
  /** What the call is for, in the report. */
  name: string
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  headers?: Record<string, string>
  body?: object
  /** Cuts the connection this long after sending, as a tunnel does to a phone; the call is then repeated. */
  cutAfterMs?: number | undefined
}

/** Connections to one instance, besides streams: a fan of thousands rarely asks two things at once. */
const connectionsPerInstance = 512
const answerWithinMs = 30_000
/** After a lost connection: twice as long each time, with jitter, about half a minute in all. */
const firstPauseMs = 200
const longestPauseMs = 8_000
const attemptsMax = 8

/**
 * Asks the instances of one service as a well-behaved client: any instance for any call, `Retry-After` obeyed, and
 * what got lost on the way is asked again. All calls here may be repeated, most by their nature, the others by their
 * Idempotency-Key.
 */
export class HonestClient {
  readonly #instances: { url: string; pool: Pool; streams: Pool }[]
  readonly #tally: Tally
  readonly #random: Random
  readonly #signal: AbortSignal

  constructor(urls: string[], tally: Tally, random: Random, signal: AbortSignal) {
    const timeouts = { headersTimeout: answerWithinMs, bodyTimeout: answerWithinMs }
    this.#instances = urls.map((url) => ({
      url,
      pool: new Pool(url, { connections: connectionsPerInstance, pipelining: 1, ...timeouts }),
      // Streams stay open, and silent for as long as nothing changes.
      streams: new Pool(url, {
        connections: null,
        pipelining: 1,
        headersTimeout: answerWithinMs,
        bodyTimeout: 0,
      }),
    }))
    this.#tally = tally
    this.#random = random
    this.#signal = signal
  }

  /** Answers what the service decided in the end: neither 429, nor 503, nor a lost connection. */
  async call<Body>(call: Call): Promise<Answer<Body>> {
    let { cutAfterMs } = call
    for (let attempt = 1; ; attempt++) {
      this.#signal.throwIfAborted()
      let pauseMs: number
      try {
        const { retryAfterMs, ...answer } = await this.#send<Body>({ ...call, cutAfterMs })
        if (retryAfterMs === undefined || attempt >= attemptsMax) return answer
        pauseMs = retryAfterMs
      } catch (error) {
        this.#signal.throwIfAborted()
        if (isCut(error)) this.#tally.cuts++
        else count(this.#tally.connectionErrors, `${call.name}: ${reasonOf(error)}`)
        if (attempt >= attemptsMax) throw error
        pauseMs = Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs)
      }
      cutAfterMs = undefined
      await sleep(pauseMs * (1 + this.#random() / 4), undefined, { signal: this.#signal })
    }
  }

  async #send<Body>({
    name,
    method,
    path,
    headers,
    body,
    cutAfterMs,
  }: Call): Promise<Answer<Body> & { retryAfterMs?: number }> {
    const { pool } = this.#anyInstance()
    const signal =
      cutAfterMs === undefined ? this.#signal : AbortSignal.any([this.#signal, cutter(cutAfterMs)])
    const started = performance.now()
    const {
      statusCode,
      headers: received,
      body: stream,
    } = await pool.request({
      method,
      path,
      headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : null,
      signal,
    })
    const text = await stream.text()
    this.#tally.answered(name, performance.now() - started)
    const parsed: unknown = text ? JSON.parse(text) : {}
    const answer = { status: statusCode, body: parsed as Body }
    if (statusCode < 400) return answer
    const { code = 'no code' } = parsed as { code?: string }
    if (statusCode >= 500) count(this.#tally.serverErrors, `${name}: ${statusCode} ${code}`)
    else count(this.#tally.refusals, `${name}: ${code}`)
    const retryAfter = Number(received['retry-after'])
    const mayRetry = (statusCode === 429 || statusCode === 503) && retryAfter >= 0
    return mayRetry ? { ...answer, retryAfterMs: retryAfter * 1000 } : answer
  }

  /** The events of a stream as they come, until it ends, breaks, or `signal` aborts. */
  async *stream(
    name: string,
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): AsyncGenerator<{ event: string; data: unknown }> {
    const { streams } = this.#anyInstance()
    const started = performance.now()
    const { statusCode, body } = await streams.request({ method: 'GET', path, headers, signal })
    this.#tally.answered(name, performance.now() - started)
    if (statusCode !== 200) {
      const code = String(((await body.json()) as { code?: string }).code)
      count(
        statusCode >= 500 ? this.#tally.serverErrors : this.#tally.refusals,
        `${name}: ${statusCode} ${code}`,
      )
      return
    }
    let text = ''
    body.setEncoding('utf8')
    for await (const chunk of body as AsyncIterable<string>) {
      text += chunk
      const messages = text.split('\n\n')
      text = messages.pop() ?? ''
      for (const message of messages) {
        const event = /^event: (.*)$/m.exec(message)?.[1]
        const data = /^data: (.*)$/m.exec(message)?.[1]
        if (event && data) yield { event, data: JSON.parse(data) }
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#instances.flatMap(({ pool, streams }) => [pool.destroy(), streams.destroy()]))
  }

  #anyInstance() {
    return this.#instances[Math.floor(this.#random() * this.#instances.length)]!
  }
}

const cut = 'the rush cut the connection'

function cutter(afterMs: number): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error(cut)), afterMs).unref()
  return controller.signal
}

const isCut = (error: unknown): boolean => error instanceof Error && error.message === cut

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
