import { once } from 'node:events'
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Client } from 'pg'
import type { StartFailure } from '../platform/start-failure.ts'
import type { Cluster, Postmaster } from './cluster.ts'
import { explainError, explainOutput } from './explain-failure.ts'
import { reachPostmaster } from './reach-postmaster.ts'

/** How the embedded server differs from PostgreSQL's defaults, and why. */
const settings = {
  // Only this machine, and only over TCP: a socket's path may be at most 107 bytes long, a folder's may be longer.
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // The largest pool that the settings allow, and room for a curious operator.
  max_connections: 250,
  // The rows of a large sale stay in memory; the default of 128 MB is for a machine of 2005.
  shared_buffers: '256MB',
  // Checkpoints by the clock, not by the write load: each is followed by writing whole pages for a while.
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  // Statements take milliseconds; compiling one takes longer than running it.
  jit: 'off',
  // For the same reason no plan is shared out to workers, which also need shared memory that containers lack.
  max_parallel_workers_per_gather: 0,
  // Rows are locked in one order, so a deadlock is rare; when it happens, fans wait for this long.
  deadlock_timeout: '200ms',
  timezone: 'UTC',
  // A week of log files: each day's takes the place of the one a week before.
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'postgres-%a.log',
  log_rotation_age: '1d',
  log_rotation_size: 0,
  log_truncate_on_rotation: 'on',
  log_timezone: 'UTC',
  // Says in `ps` whose processes these are.
  cluster_name: 'frontrow',
} as const

/** PostgreSQL truncates only at midnight, so a server that is off then would add to the same file every week. */
const logDays = 6

/** Ends that another try may avoid: another start was first, the port is taken, a killed server's processes linger. */
const passing =
  /lock file "postmaster.pid" already exists|could not create any TCP\/IP sockets|pre-existing shared memory block/

export type Started = { postmaster: Postmaster; client: Client }

/**
 * Starts a server and waits until it answers. A failure that is returned, not thrown, may be gone at the next try.
 *
 * It runs in a session of its own, so a terminal's Ctrl-C does not reach it before the service has finished with
 * it, and it holds none of our pipes.
 */
export async function startPostmaster(cluster: Cluster): Promise<Started | StartFailure> {
  const { home, dataFolder, binaries, launcher, fsync } = cluster
  const startLogPath = join(home, 'postgres-start.log')
  // A new file each time, under the old name: two starts at once do not write into each other's.
  await rm(startLogPath, { force: true })
  await using startLog = await open(startLogPath, 'a+', 0o600)
  await removeOldLogs(dataFolder, (await startLog.stat()).mtimeMs)

  const port = await findFreePort()
  const flags = Object.entries({ ...settings, fsync: fsync ? 'on' : 'off' }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const child = launcher.launch(binaries.postgres, ['-D', dataFolder, '-p', String(port), ...flags], {
    detached: true,
    stdio: ['ignore', startLog.fd, startLog.fd],
  })
  await once(child, 'spawn').catch((error: unknown) => {
    throw explainError(error, home)
  })
  child.unref()
  const { pid } = child
  if (pid === undefined) throw new Error('a process that was started has no number')
  const postmaster: Postmaster = {
    pid,
    port,
    isRunning: async () => child.exitCode === null && child.signalCode === null,
  }
  const client = await reachPostmaster(postmaster, cluster).catch((error: unknown) => {
    child.kill('SIGQUIT')
    throw error
  })
  if (client) return { postmaster, client }

  const output = await readOutput(startLog, dataFolder)
  const failure = explainOutput(`PostgreSQL does not start in ${home}`, output)
  if (passing.test(output)) return failure
  throw failure
}

/** What the server wrote in this start: into its first file, and after that into its log. */
async function readOutput(startLog: FileHandle, dataFolder: string): Promise<string> {
  const { size } = await startLog.stat()
  // From its beginning: the handle's own position moved along with what the server wrote.
  const { buffer } = await startLog.read(Buffer.alloc(size), 0, size, 0)
  const begun = buffer.toString()
  if (/FATAL:|PANIC:/.test(begun)) return begun
  const log = await readLatestLog(dataFolder)
  const begin = log.lastIndexOf('starting PostgreSQL')
  return begin === -1 ? begun : begun + log.slice(begin)
}

/** The server's log of today, or of the last day it wrote one. */
async function readLatestLog(dataFolder: string): Promise<string> {
  const logs = await listLogs(dataFolder)
  const latest = logs.toSorted((a, b) => a.mtimeMs - b.mtimeMs).at(-1)
  return latest ? readFile(latest.path, 'utf8').catch(() => '') : ''
}

async function listLogs(dataFolder: string): Promise<{ path: string; mtimeMs: number }[]> {
  const folder = join(dataFolder, settings.log_directory)
  const names = await readdir(folder).catch(() => [])
  const paths = names.map((name) => join(folder, name))
  return Promise.all(paths.map(async (path) => ({ path, mtimeMs: (await stat(path)).mtimeMs })))
}

async function removeOldLogs(dataFolder: string, nowMs: number): Promise<void> {
  for (const { path, mtimeMs } of await listLogs(dataFolder)) {
    if (mtimeMs < nowMs - logDays * 24 * 60 * 60 * 1000) await rm(path, { force: true })
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return address.port
}
