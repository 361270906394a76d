import { readFile } from 'node:fs/promises'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { pino } from 'pino'
import Schema from 'typebox/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { errorsFile, errorsPage } from '../docs/errors.ts'
import { buildApp, type App } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { openDatabase } from '../src/platform/postgres/database.ts'
import { problems } from '../src/problems.ts'

type Media = { schema: object; example?: unknown; examples?: Record<string, { value: unknown }> }
type Call = {
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { content?: Record<string, Media> }>
}
type Document = { openapi: string; paths: Record<string, Record<string, Call>> }

let app: App
let document: Document
let close: () => Promise<void>

beforeAll(async () => {
  // Nothing listens, and no database is asked for what these tests want to know.
  const url = 'postgres://nobody@127.0.0.1:1/nothing'
  const secrets = { tokenSecret: 's'.repeat(32), operatorToken: 'o'.repeat(16) }
  const config = { ...readConfig({}, import.meta.dirname), ...secrets }
  const database = openDatabase({ url, poolMax: 1, statementTimeoutMs: 1_000, onError: () => {} })
  app = await buildApp({ config, database, log: pino({ level: 'silent' }) })
  close = () => app.close().then(() => database.close())
  document = (await app.http.inject('/openapi.json')).json()
})

afterAll(() => close())

/** Every call as `POST /v1/users`, with what the document says of it. */
function documented(): [name: string, call: Call][] {
  return Object.entries(document.paths).flatMap(([path, calls]) =>
    Object.entries(calls).map(([method, call]): [string, Call] => [`${method.toUpperCase()} ${path}`, call]),
  )
}

/** Every call that the server answers, from the tree that its router prints. */
function routed(): string[] {
  const above: string[] = []
  return app.http
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part = '', methods = ''] = /^([│ ]*)[├└]── (.*) \((.*)\)$/.exec(line) ?? []
      const depth = indent.length / 4
      above.splice(depth, Infinity, part)
      const path = above
        .join('')
        .replace(/^\/\//, '/')
        .replaceAll(/:(\w+)/g, '{$1}')
      return methods.split(', ').map((method) => `${method} ${path}`)
    })
}

test('the document is OpenAPI 3.1 and breaks none of the recommended rules', async () => {
  expect(document.openapi).toMatch(/^3\.1\./)
  const config = await createConfig({ extends: ['recommended'] })
  const faults = await lintFromString({
    source: JSON.stringify(document),
    absoluteRef: '/openapi.json',
    config,
  })
  expect(faults.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
})

test('every call of the server is in the document, and nothing else', () => {
  const calls = routed().filter(
    (call) => / \/(v1\/|healthz$|readyz$)/.test(call) && !call.startsWith('HEAD '),
  )
  expect(calls.length).toBeGreaterThan(25)
  expect(
    documented()
      .map(([name]) => name)
      .toSorted(),
  ).toEqual(calls.toSorted())
})

test('every body to send has an example that the call would take', () => {
  for (const [name, { requestBody }] of documented()) {
    if (!requestBody) continue
    const { schema, example } = requestBody.content['application/json']!
    expect(Schema.Compile(schema).Check(example), `${name} takes ${JSON.stringify(example)}`).toBe(true)
  }
})

test('every refusal is one of the table, with an example that is such an answer', () => {
  for (const [name, { responses }] of documented()) {
    for (const [status, { content }] of Object.entries(responses).filter(([code]) => code >= '400')) {
      const { schema, examples = {} } = content?.['application/problem+json'] ?? { schema: {} }
      const isAnswer = Schema.Compile(schema)
      const codes = Object.keys(examples)
      expect(codes, `${name} has examples of ${status}`).not.toEqual([])
      for (const code of codes) {
        expect(problems[code as keyof typeof problems]?.status, `${name} ${code}`).toBe(Number(status))
        expect(isAnswer.Check(examples[code]?.value), `${name} ${code} fits its schema`).toBe(true)
      }
      expect(isAnswer.Check({ ...(examples[codes[0]!]?.value as object), code: 'none-of-these' })).toBe(false)
    }
  }
})

test('docs/errors.md says what the table says (npm run docs:errors)', async () => {
  expect(await readFile(errorsFile, 'utf8')).toBe(errorsPage())
})

test('the documents are a page of the service’s own files, shown under its own policy, at any address', async () => {
  const page = await app.http.inject('/docs')
  expect(page.statusCode).toBe(200)
  const policy = String(page.headers['content-security-policy'])
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self';")
  // It would have the browser ask for https, which the service does not speak.
  expect(policy).not.toContain('upgrade-insecure-requests')
  expect(policy).not.toContain('http')
  expect(page.body).not.toMatch(/<script>|<style>|\son\w+=/)

  const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file!)
  expect(files.length).toBeGreaterThan(4)
  for (const file of files) {
    expect(file).toMatch(/^\/docs\/static\/[\w.-]+$/)
    const { statusCode } = await app.http.inject(file)
    expect([file, statusCode]).toEqual([file, 200])
  }
  expect((await app.http.inject('/docs/json')).json()).toEqual(document)
})
