import { spawn } from 'node:child_process'
import { readFile, rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { StartFailure } from '../platform/start-failure.ts'
import type { Postmaster } from './cluster.ts'
import { run } from './drop-privileges.ts'
import { type PidFile, pidFileOf, readPidFile } from './read-pid-file.ts'

/** How often an incomplete file is read again before it counts as the remnant of a crash: one second in all. */
const readsMax = 20
const readAgainMs = 50

/**
 * The server that runs on `dataFolder`, left by a service that was killed or held by one that lives; undefined when
 * there is none. A `postmaster.pid` whose number is now another program's is removed, since PostgreSQL would take
 * that program for a server and refuse to start.
 */
export async function findPostmaster(dataFolder: string): Promise<Postmaster | undefined> {
  const noted = await readWhenComplete(dataFolder)
  if (noted === undefined) return undefined
  if (noted !== 'incomplete') {
    const { pid, port, startedIn } = noted
    if (!isAlive(pid)) return undefined
    const isRunning = (): Promise<boolean> => isPostmaster(pid, startedIn)
    if ((await isRunning()) && (await isSameFolder(dataFolder, noted))) {
      return { pid, port, isRunning }
    }
  }
  await rm(pidFileOf(dataFolder), { force: true })
  return undefined
}

async function readWhenComplete(dataFolder: string): Promise<PidFile | 'incomplete' | undefined> {
  for (let reads = 1; ; reads++) {
    const noted = await readPidFile(dataFolder)
    if (noted !== 'incomplete' || reads === readsMax) return noted
    await sleep(readAgainMs)
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // Another user's process is one, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function isPostmaster(pid: number, startedIn: string): Promise<boolean> {
  // Windows has no cheap way to ask for a command line: whoever lives under that number is taken for the server.
  if (process.platform === 'win32') return isAlive(pid)
  return (await readCommand(pid)).includes(startedIn)
}

/** The command line of a process; empty when there is none, or it ended and its parent has not collected it. */
async function readCommand(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  }
  return (await run(spawn('ps', ['-ww', '-o', 'command=', '-p', String(pid)]))).output
}

/** False when the folder is a copy, with the original's file in it: then the server is the original's. */
async function isSameFolder(dataFolder: string, { pid, startedIn }: PidFile): Promise<boolean> {
  const here = await stat(dataFolder)
  const there = await stat(startedIn).catch(() => undefined)
  if (there === undefined) {
    throw new StartFailure(
      `${dataFolder} was moved from ${startedIn} while its PostgreSQL ran. End that first: kill -INT ${pid}`,
    )
  }
  return here.dev === there.dev && here.ino === there.ino
}
