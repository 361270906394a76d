import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { request } from 'node:http'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { Client, Fan } from './client.ts'
import {
  databaseUrlOf,
  freshDataFolder,
  postmasterOf,
  spawnService,
  type DataFolder,
  type Ending,
} from './process.ts'

/** What a service started with nothing but a folder was told and given in its first start, kept by all tests. */
let seed: DataFolder
let first: { fan: Fan; operatorToken: string; ending: Ending; stdout: string; stderr: string }

beforeAll(async () => {
  seed = await freshDataFolder()
  await using service = spawnService({ DATA_FOLDER: seed.path })
  const client = new Client(await service.serving())
  const fan = await Fan.signUp(client)
  await fan.charge(50_000)
  await client.close()
  const ending = await service.kill('SIGTERM')
  const operatorToken = /Operator token +(\S+)/.exec(service.stdout())?.[1] ?? ''
  first = { fan, operatorToken, ending, stdout: service.stdout(), stderr: service.stderr() }
})

afterAll(() => seed[Symbol.asyncDispose]())

/** A folder that had its first start: a copy takes a tenth of the time. */
async function seededFolder(): Promise<DataFolder> {
  const folder = await freshDataFolder()
  execFileSync('cp', ['-a', `${seed.path}/.`, folder.path])
  return folder
}

async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  return client
}

async function waitUntilBlocked(database: pg.Client): Promise<void> {
  for (;;) {
    const { rowCount } = await database.query('select from pg_locks where not granted')
    if (rowCount) return
    await sleep(10)
  }
}

/** Who comes anew while the service stops is not let in. */
async function waitUntilRefused(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  for (;;) {
    const socket = createConnection(Number(port), hostname)
    const refusal = await once(socket, 'connect').then(
      () => undefined,
      (error: Error) => error,
    )
    socket.destroy()
    if (refusal) return
  }
}

/** An event stream as an open page has it: what it was sent until it was closed. */
async function openStream({ client, both }: Fan, path: string) {
  const stream = request(`${client.url}${path}`, { headers: both }).end()
  const [response] = await once(stream, 'response')
  let text = ''
  response.setEncoding('utf8').on('data', (part: string) => (text += part))
  return { closed: once(response, 'close').then(() => text) }
}

test('a first start says where it serves, where its documents are, and the operator token', async () => {
  expect(first.stdout).toMatch(/Frontrow is serving at +http:\/\/127\.0\.0\.1:\d+ /)
  expect(first.stdout).toMatch(/API documents +http:\/\/127\.0\.0\.1:\d+\/docs\n/)
  expect(first.operatorToken).toMatch(/^\S{32,}$/)
  expect(first.ending).toEqual({ code: 0, signal: null })
  expect(first.stderr).toBe('')
  expect(await postmasterOf(seed.path)).toBeUndefined()
})

test.each(['SIGTERM', 'SIGINT'] as const)(
  'after %s requests in flight are answered, open pages are sent elsewhere, and the next start has it all',
  async (signal) => {
    await using data = await seededFolder()
    await using service = spawnService({ DATA_FOLDER: data.path })
    const client = new Client(await service.serving())
    const fan = first.fan.through(client)
    expect((await fan.balance()).body).toMatchObject({ balance: 50_000 })
    const { status, body } = await client.call('GET', '/v1/operator/invariants', {
      authorization: `Bearer ${first.operatorToken}`,
    })
    expect([status, body['hold']]).toEqual([200, true])
    await fan.join(1)
    const place = await openStream(fan, '/v1/queue/events')
    const seats = await openStream(fan, '/v1/shows/1/seats/events')

    const database = await connect(await databaseUrlOf(data.path))
    await database.query('begin')
    await database.query('lock table balances')
    const charging = fan.charge(25_000, 'in-flight')
    await waitUntilBlocked(database)
    const ended = service.kill(signal)
    await service.printed('stopping')
    expect(await place.closed).toContain('event: reconnect')
    expect(await seats.closed).toContain('event: seats')
    await waitUntilRefused(client.url)
    await database.query('commit')
    await database.end()
    expect((await charging).body).toMatchObject({ amount: 25_000, balance: 75_000 })
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(await postmasterOf(data.path)).toBeUndefined()
    expect(service.stderr()).toBe('')
    expect(service.stdout()).not.toMatch(/"level":(40|50|60)/)
    await client.close()

    await using next = spawnService({ DATA_FOLDER: data.path })
    const again = new Client(await next.serving())
    expect((await fan.through(again).balance()).body).toMatchObject({ balance: 75_000 })
    expect(next.stdout()).toContain(first.operatorToken)
    await again.close()
    await next.kill(signal)
  },
)

test('a taken port is said in one line, with another to try, and nothing stays behind', async () => {
  await using data = await seededFolder()
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  await using service = spawnService({ DATA_FOLDER: data.path, PORT: String(port) })
  expect(await service.ended).toEqual({ code: 1, signal: null })
  expect(service.stderr()).toBe(
    `\nPort ${port} is taken. Stop what uses it, or choose another: PORT=${port + 1} npm start\n`,
  )
  expect(service.stdout()).toBe('')
  expect(await postmasterOf(data.path)).toBeUndefined()
  other.close()
})

test('a second start in the same folder is told whose it is, and the first one goes on', async () => {
  await using data = await seededFolder()
  await using service = spawnService({ DATA_FOLDER: data.path })
  const client = new Client(await service.serving())
  await using second = spawnService({ DATA_FOLDER: data.path })
  expect(await second.ended).toEqual({ code: 1, signal: null })
  expect(second.stderr()).toMatch(/^\nAnother Frontrow \(process \d+\) is already running in \S+\. .*\n$/)
  expect(second.stderr()).toContain(`process ${service.pid}`)
  expect((await first.fan.through(client).balance()).body).toMatchObject({ balance: 50_000 })
  await client.close()
  await service.kill('SIGTERM')
})

test('when its PostgreSQL dies it says so and ends, so that whatever runs it starts it again', async () => {
  await using data = await seededFolder()
  await using service = spawnService({ DATA_FOLDER: data.path })
  await service.serving()
  process.kill((await postmasterOf(data.path))?.pid ?? 0, 'SIGKILL')
  expect(await service.ended).toEqual({ code: 1, signal: null })
  expect(service.stdout()).toContain('the embedded PostgreSQL is gone, stopping')
  expect(service.stderr()).toBe('')
})

test('broken settings are all named at once, before anything is made', async () => {
  await using data = await freshDataFolder()
  const folder = join(data.path, 'never made')
  await using service = spawnService({
    DATA_FOLDER: folder,
    PORT: 'eighty',
    HOLD_SECONDS: '0',
    RATE_LIMITS: '1',
  })
  expect(await service.ended).toEqual({ code: 1, signal: null })
  expect(service.stderr()).toBe(
    [
      '',
      'The settings do not allow a start:',
      '  PORT must be a whole number from 0 to 65535',
      '  HOLD_SECONDS must be a whole number from 1 to 86400',
      '  RATE_LIMITS must be one of on, off',
      '',
    ].join('\n'),
  )
  await expect(access(folder)).rejects.toThrow('ENOENT')
})

test('a database of one’s own needs secrets of one’s own', async () => {
  await using service = spawnService({ DATABASE_URL: inject('postgresUrl') })
  expect(await service.ended).toEqual({ code: 1, signal: null })
  expect(service.stderr()).toContain('TOKEN_SECRET is required with DATABASE_URL')
  expect(service.stderr()).toContain('OPERATOR_TOKEN is required with DATABASE_URL')
})

test('a database that cannot be used is named, with the reason and without the password', async () => {
  const refusals = [
    ['postgres://frontrow:hunter2@127.0.0.1:1/frontrow', '127.0.0.1:1 cannot be used: connect ECONNREFUSED'],
    [missingDatabase(), 'cannot be used: database "no-such-database" does not exist'],
  ] as const
  for (const [url, reason] of refusals) {
    await using service = spawnService({
      DATABASE_URL: url,
      TOKEN_SECRET: 's'.repeat(32),
      OPERATOR_TOKEN: 'o'.repeat(16),
    })
    expect(await service.ended).toEqual({ code: 1, signal: null })
    expect(service.stderr()).toContain(reason)
    expect(service.stderr().trim().split('\n')).toHaveLength(1)
    expect(service.stderr()).not.toContain(new URL(url).password)
  }
})

function missingDatabase(): string {
  const url = new URL(inject('postgresUrl'))
  url.pathname = '/no-such-database'
  return url.href
}
