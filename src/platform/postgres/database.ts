import pg from 'pg'
import type { Statement } from './sql.ts'

/** Money and counts are bigint there and number here; one that would lose a digit is a bug, not a rounding. */
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new Error(`bigint ${text} does not fit a number`)
  return value
})

/** Inside a transaction: what takes a `Tx` joins its caller's. */
export type Tx = {
  query: <Row extends object>(statement: Statement) => Promise<Row[]>
}

/** The pool: what takes a `Database` runs statements of its own, or opens its own transaction. */
export type Database = Tx & {
  /** The one door for transactions: commits when `work` resolves, rolls back when it rejects. */
  transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>
  /** A connection for oneself, for session locks; it must be released. */
  connect: () => Promise<pg.PoolClient>
  close: () => Promise<void>
}

export type DatabaseOptions = {
  url: string
  poolMax: number
  /** No statement of the service runs this long unless something is wrong. */
  statementTimeoutMs: number
  onError: (error: Error) => void
}

/**
 * Statements find their rows by key, and are planned once per connection. A plan that was made while a table was small
 * must not read all of it when it has grown, so joins that read whole tables are out of the question from the start.
 */
const sessionSettings = {
  timezone: 'UTC',
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
}

/** For a transaction that does read whole tables: the planner may choose as it likes until its end. */
export async function planFreely(tx: Tx): Promise<void> {
  await tx.query({
    name: 'plan-freely',
    text: `select set_config(name, 'on', true)
             from unnest(array['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin']) as name`,
    values: [],
  })
  await tx.query({
    name: 'plan-each',
    text: `select set_config('plan_cache_mode', 'force_custom_plan', true)`,
    values: [],
  })
}

function tx(client: pg.Pool | pg.PoolClient): Tx {
  return {
    query: async <Row extends object>(statement: Statement) => (await client.query<Row>(statement)).rows,
  }
}

/** Opens a pool on the database at `url`. Nothing connects before the first statement. */
export function openDatabase({ url, poolMax, statementTimeoutMs, onError }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolMax,
    application_name: 'frontrow',
    connectionTimeoutMillis: 5_000,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    options: Object.entries(sessionSettings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  })
  // An idle connection that breaks is replaced by the pool; who needs to know is told.
  pool.on('error', (error: Error & { client?: unknown }) => {
    // The pool hangs the whole connection on it: its cancel key and the text of every statement it has prepared.
    delete error.client
    // The pool says that it has ended before its connections have; what happens to them then is no news.
    if (!pool.ending) onError(error)
  })

  pool.on('connect', (client) => {
    // The pool does not listen to a connection while it is lent out; one that breaks between two statements then would
    // end the process. The next statement on it fails, which is enough.
    client.on('error', () => {})
  })

  return {
    ...tx(pool),
    async transaction(work) {
      const client = await pool.connect()
      let broken: Error | undefined
      try {
        await client.query('begin')
        const result = await work(tx(client))
        // After a failed statement Postgres answers COMMIT with the tag ROLLBACK and no error.
        const { command } = await client.query('commit')
        if (command !== 'COMMIT') throw new Error(`transaction ended with ${command}`)
        return result
      } catch (error) {
        await client.query('rollback').catch((failure: Error) => {
          broken = failure
        })
        throw error
      } finally {
        client.release(broken)
      }
    },
    connect: () => pool.connect(),
    close: () => pool.end(),
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/**
 * Whether the statement had no effect and may run again as it is: a lost race for a unique key, a deadlock, a
 * serialisation failure.
 */
export function isRetryable(error: unknown): boolean {
  return ['23505', '40P01', '40001'].includes(codeOf(error))
}

/** Whether the database could not be asked (down, restarting, out of connections or of disk). */
export function isUnavailable(error: unknown): boolean {
  const code = codeOf(error)
  return (
    ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', '57014'].includes(code) ||
    /^(08|53|57P|58)/.test(code) ||
    (error instanceof Error &&
      /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after calling end|not queryable/.test(
        error.message,
      ))
  )
}
