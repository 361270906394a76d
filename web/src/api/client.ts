import { fill } from '../routes.ts'
import { account, noteSignInOver } from '../state/account.ts'
import { noteServerDate } from '../state/clock.ts'
import { noteAnswer } from '../state/connection.ts'
import { NoAnswer, Refusal } from './refusal.ts'
import { calls, type Calls } from './schema.ts'

export type CallName = keyof Calls
export type Answer<Name extends CallName> = Calls[Name]['answer']

type Part<Field extends string, Value> = undefined extends Value
  ? { [Key in Field]?: Value }
  : {} extends Value
    ? { [Key in Field]?: Value }
    : { [Key in Field]: Value }

export type CallOptions<Name extends CallName> = Part<'params', Calls[Name]['params']> &
  Part<'query', Calls[Name]['query']> &
  Part<'body', Calls[Name]['body']> & {
    /** The queue token, for calls that take one. */
    place?: string | undefined
    /** The idempotency key, for calls that take one. */
    key?: string
    signal?: AbortSignal
    etag?: string | undefined
  }

type AnyOptions = {
  params?: Record<string, string | number>
  query?: Record<string, string | number | undefined>
  body?: unknown
  place?: string | undefined
  key?: string
  signal?: AbortSignal
  etag?: string | undefined
}

/** Longer than the service may take; after that the connection is gone and nobody said so. */
const timeoutMs = 15_000

/** The request of a call with every token that it takes. */
export function requestOf(name: CallName, options: AnyOptions): [url: string, init: RequestInit] {
  const facts = calls[name]
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined) query.set(key, String(value))
  }
  const url = fill(facts.path, options.params ?? {}) + (query.size > 0 ? `?${query}` : '')
  const headers = new Headers()
  const token = account.value?.accessToken
  if (facts.access && token) headers.set('authorization', `Bearer ${token}`)
  if (facts.place && options.place) headers.set('queue-token', options.place)
  if (facts.keyed && options.key) headers.set('idempotency-key', options.key)
  if (options.etag) headers.set('if-none-match', options.etag)
  if (options.body !== undefined) headers.set('content-type', 'application/json')
  return [
    url,
    {
      method: facts.method,
      headers,
      // Our own copy and entity tags say what is fresh.
      cache: 'no-store',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    },
  ]
}

/** Sends one request; throws `NoAnswer` when nothing came back and `Refusal` when the service refused. */
export async function send(name: CallName, options: AnyOptions, signal: AbortSignal): Promise<Response> {
  const [url, init] = requestOf(name, options)
  const sentAt = Date.now()
  let response: Response
  try {
    response = await fetch(url, { ...init, signal })
  } catch (error) {
    if (options.signal?.aborted) throw error
    noteAnswer(false)
    throw new NoAnswer(name, { cause: error })
  }
  noteAnswer(true)
  noteServerDate(response.headers.get('date'), sentAt, Date.now())
  if (response.ok || response.status === 304) return response
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>
  const retryAfter = Number(response.headers.get('retry-after'))
  const refusal = new Refusal(response.status, body, retryAfter > 0 ? retryAfter * 1_000 : undefined)
  if (refusal.code === 'unauthenticated') noteSignInOver()
  throw refusal
}

function deadline(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs)
  return signal ? AbortSignal.any([signal, timeout]) : timeout
}

/** Calls the service once. */
export async function call<Name extends CallName>(
  name: Name,
  ...[options]: {} extends CallOptions<Name> ? [CallOptions<Name>?] : [CallOptions<Name>]
): Promise<Answer<Name>> {
  const given = (options ?? {}) as AnyOptions
  const response = await send(name, given, deadline(given.signal))
  try {
    const body: unknown = response.status === 204 ? undefined : await response.json()
    return body as Answer<Name>
  } catch (error) {
    if (given.signal?.aborted) throw error
    throw new NoAnswer(name, { cause: error })
  }
}

/** As `call`, for what may be unchanged: undefined when it still has the entity tag given. */
export async function callIfChanged<Name extends CallName>(
  name: Name,
  options: CallOptions<Name>,
): Promise<{ answer: Answer<Name>; etag: string | undefined } | undefined> {
  const given = options as AnyOptions
  const response = await send(name, given, deadline(given.signal))
  if (response.status === 304) return undefined
  const answer = (await response.json()) as Answer<Name>
  return { answer, etag: response.headers.get('etag') ?? undefined }
}
