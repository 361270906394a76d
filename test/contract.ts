import Schema from 'typebox/schema'
import { request, Pool } from 'undici'
import { problems } from '../src/problems.ts'
import type { Headers } from './client.ts'

type JsonSchema = {
  type?: string
  required?: string[]
  properties?: Record<string, JsonSchema>
  [keyword: string]: unknown
}
export type Parameter = { in: 'path' | 'query' | 'header'; name: string; schema: JsonSchema }
type Media = { schema: object; example?: unknown; examples?: Record<string, unknown> }
type Response = { content?: Record<string, Media> }

/** One call as the service's own document describes it. */
export type Operation = {
  name: string
  method: string
  path: string
  /** The tokens it takes: `accessToken`, `queueToken`, `operatorToken`. */
  security: string[]
  parameters: Parameter[]
  body: { schema: JsonSchema; example: unknown; required: boolean } | undefined
  responses: Record<string, Response>
}

export type Sent = { method: string; path: string; headers: Headers; body?: string | Buffer }
export type Received = { status: number; contentType: string; text: string; headers: Record<string, unknown> }

type Document = {
  paths: Record<
    string,
    Record<
      string,
      {
        security?: Record<string, unknown>[]
        parameters?: Parameter[]
        requestBody?: { required?: boolean; content: Record<string, Media> }
        responses: Record<string, Response>
      }
    >
  >
}

/** Every call of the service at `url`, from its OpenAPI document: a new call is in every test of the contract. */
export async function readOperations(url: string): Promise<Operation[]> {
  const { body } = await request(`${url}/openapi.json`)
  const { paths } = (await body.json()) as Document
  return Object.entries(paths).flatMap(([path, calls]) =>
    Object.entries(calls).map(([method, call]): Operation => {
      const media = call.requestBody?.content['application/json']
      return {
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        security: (call.security ?? []).flatMap((scheme) => Object.keys(scheme)),
        parameters: call.parameters ?? [],
        body: media && {
          schema: media.schema as JsonSchema,
          example: media.example,
          required: call.requestBody?.required ?? false,
        },
        responses: call.responses,
      }
    }),
  )
}

export type Values = Record<string, string | number>

/** A request of this call that names what exists: `values` by the names of parameters and fields. */
export function requestOf(operation: Operation, values: Values, tokens: Record<string, Headers>): Sent {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined)
      throw new Error(`the tests of the contract do not know a ${name} for ${operation.name}`)
    return String(value)
  })
  const headers: Headers = Object.assign({}, ...operation.security.map((scheme) => tokens[scheme]))
  if (!operation.body) return { method: operation.method, path, headers }
  const example = operation.body.example as Record<string, unknown>
  const known = Object.entries(values).filter(([name]) => name in example)
  const body = JSON.stringify({ ...example, ...Object.fromEntries(known) })
  return { method: operation.method, path, headers: { ...headers, 'content-type': 'application/json' }, body }
}

/** Sends anything, and reads the answer whatever it is; of a stream, only that it has begun. */
export async function send(pool: Pool, { method, path, headers, body }: Sent): Promise<Received> {
  const answer = await pool.request({ method, path, headers, body: body ?? null })
  const contentType = String(answer.headers['content-type'] ?? '')
  const isStream = contentType.startsWith('text/event-stream')
  if (isStream) answer.body.on('error', () => {}).destroy()
  const text = isStream ? '' : await answer.body.text()
  return { status: answer.statusCode, contentType, text, headers: answer.headers }
}

/** What no answer may show of the inside: stacks, statements, files, the database. */
const leaks =
  /\bat \S+ \(|node:|node_modules|\.ts:\d|\b(select|insert|update|from|where)\b .*\$\d|pg_|postgres|sqlstate/i

/** What is wrong with an answer to this call, in words; undefined when it keeps the contract. */
export function faultOf(operation: Operation, { status, contentType, text }: Received): string | undefined {
  if (status >= 500) return `is a ${status}: ${text}`
  if (leaks.test(text) && status >= 400) return `leaks: ${text}`
  const response = operation.responses[status]
  if (!response) return `${status} is not in the document: ${text}`
  const [type = '', media] = Object.entries(response.content ?? {})[0] ?? []
  if (!media) return text === '' ? undefined : `${status} has a body: ${text}`
  if (contentType.split(';')[0] !== type) return `${status} is ${contentType} and not ${type}: ${text}`
  if (type === 'text/event-stream') return undefined
  const body: unknown = JSON.parse(text)
  if (!fits(media.schema, body)) return `${status} does not fit its schema: ${text}`
  return status < 400 ? undefined : refusalFault(status, body as Record<string, unknown>)
}

/** What is wrong with a refusal, wherever it comes from. */
export function refusalFault(
  status: number,
  { code, title, type }: Record<string, unknown>,
): string | undefined {
  const kind = problems[code as keyof typeof problems]
  if (!kind) return `${String(code)} is not in the table`
  if (kind.status !== status) return `${String(code)} came as ${status}`
  return kind.title === title && type === `urn:problem:${String(code)}`
    ? undefined
    : `${String(code)} says ${String(title)}`
}

const validators = new WeakMap<object, ReturnType<typeof Schema.Compile>>()

export function fits(schema: object, value: unknown): boolean {
  let validator = validators.get(schema)
  if (!validator) {
    validator = Schema.Compile(schema)
    validators.set(schema, validator)
  }
  return validator.Check(value)
}
