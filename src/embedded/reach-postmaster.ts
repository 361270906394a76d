import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { StartFailure } from '../platform/start-failure.ts'
import { type Cluster, type Postmaster, superuser } from './cluster.ts'
import { readPidFile } from './read-pid-file.ts'

/** A warm start is ready after four or five of these. */
const pauseMs = 10
/** Longer than recovering `max_wal_size` takes on a slow disk. */
const patienceMs = 300_000
/** Past this, whoever watches is told what takes so long. */
const noticeAfterMs = 3_000

/** Not now, but perhaps in a moment: starting or stopping (57P01 to 57P03), no free connection, nobody listening. */
const passing = new Set([
  '57P03',
  '57P01',
  '57P02',
  '53300',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
])

/** A connection to a server that may be starting; undefined when it ends instead. */
export async function reachPostmaster(
  postmaster: Postmaster,
  cluster: Cluster,
  withinMs = patienceMs,
): Promise<Client | undefined> {
  const { pid, port } = postmaster
  const enough = AbortSignal.timeout(withinMs)
  const late = setTimeout(() => {
    cluster.onNotice('PostgreSQL takes its time: it is finishing what the last run left.')
  }, noticeAfterMs)
  try {
    for (;;) {
      const client = (await isReady(pid, cluster)) ? await connect(postmaster, cluster) : undefined
      if (client) return client
      if (!(await postmaster.isRunning())) return undefined
      if (enough.aborted) {
        throw new StartFailure(
          `PostgreSQL in ${cluster.home} (process ${pid}, port ${port}) does not answer. Its log is in postgres/log there.`,
        )
      }
      await sleep(pauseMs)
    }
  } finally {
    clearTimeout(late)
  }
}

/** The server's own word; asking it by connecting too early would leave a FATAL in its log each time. */
async function isReady(pid: number, { dataFolder }: Cluster): Promise<boolean> {
  const noted = await readPidFile(dataFolder)
  return typeof noted === 'object' && noted.pid === pid && noted.isReady
}

/** Undefined when it may work in a moment. */
async function connect({ pid, port }: Postmaster, cluster: Cluster): Promise<Client | undefined> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: superuser,
    password: cluster.password,
    database: 'postgres',
    ssl: false,
    // What another service that finds this one here tells its operator.
    application_name: `process ${process.pid}`,
    connectionTimeoutMillis: 5_000,
  })
  // Every broken connection also ends; that is what is listened for.
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    if (!(error instanceof Error) || isPassing(error)) return undefined
    throw new StartFailure(
      'code' in error && error.code === '28P01'
        ? "PostgreSQL refuses the password in secrets.json: the folder's data was made with another one. Put back the secrets.json it was made with, or move the whole folder away to begin anew."
        : `PostgreSQL (process ${pid}, port ${port}) does not let Frontrow in: ${error.message}.`,
      { cause: error },
    )
  }
}

function isPassing(error: Error): boolean {
  if ('code' in error) return passing.has(String(error.code))
  return /timeout expired|Connection terminated/.test(error.message)
}
