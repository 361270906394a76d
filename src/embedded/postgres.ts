import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { StartFailure } from '../platform/start-failure.ts'
import { type Cluster, superuser } from './cluster.ts'
import { dropPrivileges } from './drop-privileges.ts'
import { explainError } from './explain-failure.ts'
import { findBinaries } from './find-binaries.ts'
import { findPostmaster } from './find-postmaster.ts'
import { initialiseCluster, removeUnfinished } from './initialise-cluster.ts'
import { keepOwnership } from './keep-ownership.ts'
import { makeFolder } from './make-folder.ts'
import { reachPostmaster } from './reach-postmaster.ts'
import { type Started, startPostmaster } from './start-postmaster.ts'
import { stopPostmaster } from './stop-postmaster.ts'
import { readOwner, takeOwnership } from './take-ownership.ts'

const database = 'frontrow'

/** Tries to find or start a server while others start and stop it: five seconds in all. */
const attemptsMax = 50
const pauseMs = 100

export type EmbeddedPostgres = {
  databaseUrl: string
  port: number
  /** Of the server's first process. */
  pid: number
  /** Settles when the server was lost while it was in use, with the reason; never rejects. */
  lost: Promise<Error>
  /** Ends the server and waits until it is gone; a second call waits for the first. */
  close: () => Promise<void>
  [Symbol.asyncDispose]: () => Promise<void>
}

export type EmbeddedPostgresOptions = {
  /** Absolute. The data is in `postgres/` there. */
  folder: string
  password: string
  /** Off only in tests: a power cut may then lose or spoil the data. */
  fsync?: boolean
  /** Told what whoever watches should know: a long recovery, a server that does not end. */
  onNotice?: (message: string) => void
}

/**
 * Starts the PostgreSQL of `folder`, making its data at the first start, or takes over the one that a killed
 * service left running. Throws a `StartFailure` when another service uses the folder, or when something its
 * operator can mend is in the way.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await openCluster(await prepareCluster(options))
  } catch (error) {
    throw explainError(error, options.folder)
  }
}

async function prepareCluster(options: EmbeddedPostgresOptions): Promise<Cluster> {
  const { folder, password, fsync = true, onNotice = () => {} } = options
  const home = await makeFolder(folder)
  const dataFolder = join(home, 'postgres')
  const binaries = await findBinaries()
  const launcher = await dropPrivileges(home, dataFolder, binaries)
  const cluster = { home, dataFolder, binaries, launcher, password, fsync, onNotice }
  await initialiseCluster(cluster)
  return cluster
}

async function openCluster(cluster: Cluster): Promise<EmbeddedPostgres> {
  const { postmaster, client } = await ownServer(cluster)
  const { pid, port } = postmaster
  const ownership = keepOwnership(cluster, postmaster, client)
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= ownership.end(() => stopPostmaster(postmaster, cluster)))
  try {
    await createDatabase(client)
    await removeUnfinished(cluster.home)
  } catch (error) {
    await close()
    throw error
  }
  const login = `${superuser}:${encodeURIComponent(cluster.password)}`
  return {
    // Not for a PGSSLMODE in the environment to decide: this server has no certificate.
    databaseUrl: `postgresql://${login}@127.0.0.1:${port}/${database}?sslmode=disable`,
    port,
    pid,
    lost: ownership.lost,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Finds the folder's server or starts one, and takes it for this service. */
async function ownServer(cluster: Cluster): Promise<Started> {
  let failure = new StartFailure(
    `PostgreSQL in ${cluster.home} is started and stopped over and over by another process.`,
  )
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const reached = (await takeOver(cluster)) ?? (await startPostmaster(cluster))
    if (reached instanceof StartFailure) failure = reached
    else if (await isOwned(reached.client, cluster.home)) return reached
    await sleep(pauseMs)
  }
  throw failure
}

/** The server that runs there already, unless it ends before it answers. */
async function takeOver(cluster: Cluster): Promise<Started | undefined> {
  const postmaster = await findPostmaster(cluster.dataFolder)
  const client = postmaster && (await reachPostmaster(postmaster, cluster))
  return client && { postmaster, client }
}

/** False when the server ended meanwhile; another service on it is a `StartFailure`, and its server stays. */
async function isOwned(client: Client, home: string): Promise<boolean> {
  try {
    if (await takeOwnership(client)) return true
    const owner = await readOwner(client)
    throw new StartFailure(
      `Another Frontrow${owner ? ` (${owner})` : ''} is already running in ${home}. Stop it first, name another folder in DATA_FOLDER, or set DATABASE_URL so that both use one PostgreSQL of your own.`,
    )
  } catch (error) {
    await client.end()
    if (error instanceof StartFailure) throw error
    return false
  }
}

async function createDatabase(client: Client): Promise<void> {
  const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
  if (rowCount === 0) await client.query(`create database ${database}`)
}
