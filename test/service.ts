import { pino } from 'pino'
import { buildApp, type App, type AppOptions } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { openDatabase } from '../src/platform/postgres/database.ts'

export const operatorToken = 'operator-token-of-the-tests'

export type TestService = {
  url: string
  app: App
  close: () => Promise<void>
  [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * One instance of the whole service in this process, on the database at `databaseUrl`, listening on a free port.
 * Call it twice for two instances. `settings` are environment variables; rate limits are off unless set.
 */
export async function startService(
  databaseUrl: string,
  settings: Record<string, string> = {},
  parts: Pick<AppOptions, 'consumers'> = {},
): Promise<TestService> {
  const environment = {
    DATABASE_URL: databaseUrl,
    TOKEN_SECRET: 'a secret of the tests, long enough to be one',
    OPERATOR_TOKEN: operatorToken,
    RATE_LIMITS: 'off',
    LOG_LEVEL: 'error',
    HOST: '127.0.0.1',
    ...settings,
  }
  const config = readConfig(environment, import.meta.dirname)
  const log = pino({ level: config.logLevel })
  const database = openDatabase({
    url: databaseUrl,
    poolMax: config.databasePoolMax,
    statementTimeoutMs: 10_000,
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  })
  const app = await buildApp({
    config: { ...config, tokenSecret: environment.TOKEN_SECRET, operatorToken },
    database,
    log,
    ...parts,
  })
  await app.http.listen({ host: '127.0.0.1', port: 0 })
  const address = app.http.server.address()
  if (!address || typeof address !== 'object') throw new Error('not listening')
  let closing: Promise<void> | undefined
  const close = () => (closing ??= app.close().then(() => database.close()))
  return { url: `http://127.0.0.1:${address.port}`, app, close, [Symbol.asyncDispose]: close }
}
