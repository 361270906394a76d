import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Postmaster } from './cluster.ts'
import { run } from './drop-privileges.ts'

/** A fast shutdown writes out at most `shared_buffers`: seconds, on a slow disk half a minute. */
const fastMs = 30_000
/** An immediate one writes nothing; the server kills what has not ended after 5 s by itself. */
const immediateMs = 10_000
const pauseMs = 10

/** Ends the server and waits until it is gone. What was committed is kept either way. */
export async function stopPostmaster(postmaster: Postmaster, cluster: Cluster): Promise<void> {
  const { pid } = postmaster
  await signal(postmaster, cluster, 'INT')
  if (await isGone(postmaster, fastMs)) return
  cluster.onNotice(`PostgreSQL (process ${pid}) has not ended in ${fastMs / 1000} s; ending it at once.`)
  await signal(postmaster, cluster, 'QUIT')
  if (await isGone(postmaster, immediateMs)) return
  cluster.onNotice(`PostgreSQL (process ${pid}) does not end; it is left as it is.`)
}

async function signal(
  { pid, isRunning }: Postmaster,
  { binaries }: Cluster,
  name: 'INT' | 'QUIT',
): Promise<void> {
  // Asked first: a number that is free again may be another program's.
  if (!(await isRunning())) return
  if (process.platform === 'win32') {
    // Windows has no signals; PostgreSQL brings its own.
    await run(spawn(binaries.pg_ctl, ['kill', name, String(pid)]))
    return
  }
  try {
    process.kill(pid, `SIG${name}`)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

async function isGone({ isRunning }: Postmaster, withinMs: number): Promise<boolean> {
  const enough = AbortSignal.timeout(withinMs)
  while (await isRunning()) {
    if (enough.aborted) return false
    await sleep(pauseMs)
  }
  return true
}
