/**
 * Writes `src/api/schema.ts`, the pages' table of calls and their types, from the service's own OpenAPI document.
 * `npm run web:api` after a change of a route; a test fails while the two differ.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { buildApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { openDatabase } from '../src/platform/postgres/database.ts'

type Schema = {
  type?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
}
type Content = Record<string, { schema: Schema }>
type Operation = {
  operationId: string
  tags: string[]
  security?: Record<string, unknown>[]
  parameters?: { in: string; name: string; required?: boolean; schema: Schema }[]
  requestBody?: { content: Content }
  responses: Record<string, { content?: Content }>
}
export type ApiDocument = { paths: Record<string, Record<string, Operation>> }

/** What the pages call; the operator's calls would only make them larger. */
const tags = new Set(['users', 'concerts', 'queue', 'reservations', 'payments', 'balance'])

export const schemaFile = join(import.meta.dirname, 'src', 'api', 'schema.ts')

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return literal(schema.const)
  if (schema.enum) return schema.enum.map(literal).join(' | ')
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' | ')
  switch (schema.type) {
    case 'object':
      return objectOf(schema.properties ?? {}, new Set(schema.required))
    case 'array':
      return `Array<${typeOf(schema.items ?? {})}>`
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    default:
      return 'unknown'
  }
}

function literal(value: unknown): string {
  return `'${String(value)}'`
}

function objectOf(properties: Record<string, Schema>, required: Set<string>): string {
  const fields = Object.entries(properties).map(
    ([name, schema]) => `${name}${required.has(name) ? '' : '?'}: ${typeOf(schema)}`,
  )
  return fields.length > 0 ? `{ ${fields.join('; ')} }` : '{}'
}

function parametersOf(operation: Operation, place: string): string {
  const chosen = (operation.parameters ?? []).filter((parameter) => parameter.in === place)
  return objectOf(
    Object.fromEntries(chosen.map(({ name, schema }) => [name, schema])),
    new Set(chosen.filter(({ required }) => required).map(({ name }) => name)),
  )
}

function answerOf({ responses }: Operation): string {
  const [, good] = Object.entries(responses).find(([status]) => status.startsWith('2')) ?? []
  const schema = good?.content?.['application/json']?.schema
  return schema ? typeOf(schema) : 'undefined'
}

/** The text of `schema.ts` for a document. */
export function makeSchema(document: ApiDocument): string {
  const types: string[] = []
  const table: string[] = []
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!operation.tags.some((tag) => tags.has(tag))) continue
      const sends = new Set((operation.security ?? []).flatMap((scheme) => Object.keys(scheme)))
      const keyed = operation.parameters?.some(({ name }) => name === 'idempotency-key') ?? false
      const body = operation.requestBody?.content['application/json']?.schema
      types.push(
        `  ${operation.operationId}: {`,
        `    params: ${parametersOf(operation, 'path')}`,
        `    query: ${parametersOf(operation, 'query')}`,
        `    body: ${body ? typeOf(body) : 'undefined'}`,
        `    answer: ${answerOf(operation)}`,
        '  }',
      )
      const facts = [
        `method: '${method.toUpperCase()}'`,
        `path: '${path}'`,
        ...(sends.has('accessToken') ? ['access: true'] : []),
        ...(sends.has('queueToken') ? ['place: true'] : []),
        ...(keyed ? ['keyed: true'] : []),
      ]
      table.push(`  ${operation.operationId}: { ${facts.join(', ')} },`)
    }
  }
  return [
    '// Made from the OpenAPI document by `npm run web:api`. Do not edit.',
    '',
    'export type Calls = {',
    ...types,
    '}',
    '',
    'export type CallFacts = { method: string; path: string; access?: true; place?: true; keyed?: true }',
    '',
    '/** Every URL of the service that the pages use, with the tokens and the key that it takes. */',
    'export const calls: Record<keyof Calls, CallFacts> = {',
    ...table,
    '}',
    '',
  ].join('\n')
}

/** The service's document. Nothing listens and no database is asked. */
export async function readDocument(): Promise<ApiDocument> {
  const url = 'postgres://nobody@127.0.0.1:1/nothing'
  const secrets = { tokenSecret: 'x'.repeat(32), operatorToken: 'x'.repeat(16) }
  const environment = {
    DATABASE_URL: url,
    TOKEN_SECRET: secrets.tokenSecret,
    OPERATOR_TOKEN: secrets.operatorToken,
  }
  const config = { ...readConfig(environment, import.meta.dirname), ...secrets }
  const database = openDatabase({ url, poolMax: 4, statementTimeoutMs: 1_000, onError: () => {} })
  const app = await buildApp({ config, database, log: pino({ level: 'silent' }) })
  const document = app.http.swagger() as unknown as ApiDocument
  await app.close()
  await database.close()
  return document
}

if (import.meta.main) await writeFile(schemaFile, makeSchema(await readDocument()))
