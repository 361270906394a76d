import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import pretty from 'pino-pretty'
import { buildApp, type App } from './app.ts'
import { readConfig, type Config } from './config.ts'
import { openEmbeddedPostgres } from './embedded/postgres.ts'
import { keepSecrets } from './embedded/secrets.ts'
import { addDemoData } from './operator/demo-data.ts'
import { isUnavailable, openDatabase, type Database } from './platform/postgres/database.ts'
import { migrate } from './platform/postgres/migrate.ts'
import { sql } from './platform/postgres/sql.ts'
import { StartFailure } from './platform/start-failure.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Longer than any statement of a sale may take; what is unfinished then will not finish. */
const stopWithinMs = 15_000
const statementTimeoutMs = 10_000

type Embedded = Awaited<ReturnType<typeof openEmbeddedPostgres>>

async function main(): Promise<void> {
  const startedAt = performance.now()
  const config = readConfig(process.env, root)
  const log = openLog(config.logLevel)
  // What was opened, closed again in the opposite order, also when the start fails halfway.
  await using opened = new AsyncDisposableStack()

  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort(signal))

  const secrets = config.databaseUrl === undefined ? await keepSecrets(config.dataFolder) : undefined
  let embedded: Embedded | undefined
  if (secrets) {
    try {
      embedded = opened.use(
        await openEmbeddedPostgres({
          folder: config.dataFolder,
          password: secrets.databasePassword,
          onNotice: (message) => log.warn(message),
        }),
      )
    } catch (error) {
      // A terminal's Ctrl-C also ends what makes the first data: that is no failure.
      if (stop.signal.aborted) return
      throw error
    }
    void embedded.lost.then((error) => {
      if (stop.signal.aborted) return
      log.fatal({ err: error }, 'the embedded PostgreSQL is gone, stopping')
      process.exitCode = 1
      stop.abort(error)
    })
  }
  const database = openDatabase({
    url: config.databaseUrl ?? embedded?.databaseUrl ?? '',
    poolMax: config.databasePoolMax,
    statementTimeoutMs,
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  })
  opened.defer(() => database.close())
  await prepare(database, config)

  const tokenSecret = config.tokenSecret ?? secrets?.tokenSecret ?? ''
  const operatorToken = config.operatorToken ?? secrets?.operatorToken ?? ''
  const app = opened.adopt(
    await buildApp({ config: { ...config, tokenSecret, operatorToken }, database, log }),
    (built) => built.close(),
  )
  if (stop.signal.aborted) return
  const address = await listen(app, config)
  printWelcome(
    address,
    config.operatorToken === undefined ? operatorToken : undefined,
    performance.now() - startedAt,
  )

  await new Promise((resolve) => {
    if (stop.signal.aborted) resolve(undefined)
    stop.signal.addEventListener('abort', resolve)
  })
  log.info({ reason: String(stop.signal.reason) }, 'stopping')
  setTimeout(() => {
    log.error(`not stopped after ${stopWithinMs} ms, giving up`)
    process.exit(1)
  }, stopWithinMs).unref()
}

/** One line of JSON per event for machines; readable lines for someone who watches. */
function openLog(level: string) {
  return process.stdout.isTTY
    ? pino({ level }, pretty({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss', sync: true }))
    : pino({ level })
}

async function prepare(database: Database, config: Config): Promise<void> {
  let isReached = false
  try {
    await database.query(sql`select 1`)
    isReached = true
    await migrate(database, join(root, 'migrations'))
    if (config.demoData) await addDemoData(database)
  } catch (error) {
    // Until it has answered once, whatever is wrong is wrong with the address, the network or the rights.
    const isMendable = !isReached || isUnavailable(error) || isRefused(error)
    if (config.databaseUrl === undefined || !isMendable) throw error
    const host = new URL(config.databaseUrl).host || 'localhost'
    const why = error instanceof Error && error.message ? error.message : 'no answer'
    throw new StartFailure(`The database of DATABASE_URL at ${host} cannot be used: ${why}`)
  }
}

/** The database lets us in and not make tables. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42501'
}

async function listen(app: App, { host, port }: Config): Promise<string> {
  try {
    await app.http.listen({ host, port })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') {
      throw new StartFailure(
        `Port ${port} is taken. Stop what uses it, or choose another: PORT=${port + 1} npm start`,
      )
    }
    if (code === 'EACCES')
      throw new StartFailure(`Port ${port} needs more rights; choose one above 1023 with PORT`)
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new StartFailure(`HOST ${host} is not an address of this machine`)
    }
    throw error
  }
  const bound = app.http.server.address()
  const boundPort = bound && typeof bound === 'object' ? bound.port : port
  const name = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${boundPort}`
}

function printWelcome(address: string, operatorToken: string | undefined, tookMs: number): void {
  const lines = [
    '',
    `  Frontrow is serving at  ${address}  (after ${(tookMs / 1000).toFixed(1)} s)`,
    `  API documents           ${address}/docs`,
    ...(operatorToken ? [`  Operator token          ${operatorToken}`] : []),
    '',
    '',
  ]
  process.stdout.write(lines.join('\n'))
}

try {
  await main()
} catch (error) {
  const message =
    error instanceof StartFailure ? error.message : error instanceof Error ? error.stack : String(error)
  process.stderr.write(`\n${message}\n`)
  process.exitCode = 1
}
