import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { openEmbeddedPostgres, type EmbeddedPostgres } from '../src/embedded/postgres.ts'
import { startNode, stopChild } from './start-node.ts'

const program = join(import.meta.dirname, '..', 'src', 'main.ts')

/** Longer than a service takes to start on a busy machine. */
const startWithinMs = 60_000
/** Lines of an instance's own words, to tell why it ended. */
const outputKept = 40

export type Instance = {
  url: string
  pid: number
  /** Where its debugger listens, when it was asked to. */
  inspectorUrl: string | undefined
}

export type Fleet = {
  instances: Instance[]
  urls: string[]
  operatorToken: string
  databaseUrl: string
  /** Of PostgreSQL's first process. */
  postgresPid: number
  /** Settles with the reason when an instance ends before it was asked to. */
  lost: Promise<Error>
  close: () => Promise<void>
  [Symbol.asyncDispose]: () => Promise<void>
}

export type FleetOptions = {
  instances?: number
  /** Environment variables of every instance. */
  settings?: Record<string, string>
  /** The processor core that the instances may use; all of them unless said. */
  core?: number | undefined
  /** Lets the instances and PostgreSQL be looked into: debuggers on loopback, and statements counted. */
  watched?: boolean
}

/**
 * Starts `src/main.ts` as child processes, as `npm start` would, on one PostgreSQL of their own that syncs to disk
 * and is thrown away afterwards.
 */
export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  const { instances: count = 1, settings = {}, core, watched = false } = options
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'frontrow-bench-'))
  opened.defer(() => rm(folder, { recursive: true, force: true }))
  const postgres = opened.use(await openPostgres(folder, watched))
  const operatorToken = secret()
  const environment = {
    PATH: process.env['PATH'],
    DATABASE_URL: postgres.databaseUrl,
    TOKEN_SECRET: secret(),
    OPERATOR_TOKEN: operatorToken,
    RATE_LIMITS: 'off',
    DEMO_DATA: 'off',
    LOG_LEVEL: 'warn',
    HOST: '127.0.0.1',
    PORT: '0',
    ...settings,
  }
  const lost = Promise.withResolvers<Error>()
  const instances: Instance[] = []
  for (let number = 1; number <= count; number++) {
    const instance = opened.use(await startInstance(environment, core, watched))
    void instance.ended.then((how) =>
      lost.resolve(new Error(`instance ${number} of the service ended: ${how}`)),
    )
    instances.push(instance)
  }
  const kept = opened.move()
  let closed: Promise<void> | undefined
  const close = () => (closed ??= kept.disposeAsync())
  return {
    instances,
    urls: instances.map(({ url }) => url),
    operatorToken,
    databaseUrl: postgres.databaseUrl,
    postgresPid: postgres.pid,
    lost: lost.promise,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function openPostgres(folder: string, watched: boolean): Promise<EmbeddedPostgres> {
  const password = secret()
  const postgres = await openEmbeddedPostgres({ folder, password })
  if (!watched) return postgres
  // The counting of statements has to be there from the server's start.
  await onDatabase(postgres.databaseUrl, `alter system set shared_preload_libraries = 'pg_stat_statements'`)
  await postgres.close()
  const again = await openEmbeddedPostgres({ folder, password })
  await onDatabase(again.databaseUrl, 'create extension if not exists pg_stat_statements')
  return again
}

/** Runs one statement on a connection of its own. */
export async function onDatabase<Row extends object>(databaseUrl: string, statement: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'bench' })
  await client.connect()
  try {
    return (await client.query<Row>(statement)).rows
  } finally {
    await client.end()
  }
}

async function startInstance(
  environment: Record<string, string | undefined>,
  core: number | undefined,
  inspected: boolean,
) {
  const args = [...(inspected ? ['--inspect=127.0.0.1:0'] : []), program]
  const child = startNode({ args, core, environment, readsOutput: true })
  const output: string[] = []
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve([signal ?? `code ${code}`, ...output].join('\n')))
  })
  const serving = Promise.withResolvers<string>()
  let inspectorUrl: string | undefined
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface({ input: stream }).on('line', (line) => {
      inspectorUrl ??= /Debugger listening on (ws:\S+)/.exec(line)?.[1]
      const url = /is serving at\s+(http:\S+)/.exec(line)?.[1]
      if (url) serving.resolve(url)
      output.push(line)
      if (output.length > outputKept) output.shift()
    })
  }
  const late = setTimeout(
    () => serving.reject(new Error(`not serving after ${startWithinMs} ms`)),
    startWithinMs,
  )
  try {
    const url = await Promise.race([
      serving.promise,
      ended.then((how) => {
        throw new Error(`the service did not start: ${how}`)
      }),
    ])
    return { url, pid: child.pid!, inspectorUrl, ended, [Symbol.asyncDispose]: () => stopChild(child) }
  } catch (error) {
    await stopChild(child)
    throw error
  } finally {
    clearTimeout(late)
  }
}

const secret = (): string => randomBytes(32).toString('base64url')
