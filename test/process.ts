import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { findPostmaster } from '../src/embedded/find-postmaster.ts'
import type { Postmaster } from '../src/embedded/cluster.ts'
import { keepSecrets } from '../src/embedded/secrets.ts'

export type Ending = { code: number | null; signal: NodeJS.Signals | null }

/** The service as an operator runs it: a process of its own, known by what it prints and how it ends. */
export type ServiceProcess = {
  pid: number
  /** What it printed so far. */
  stdout: () => string
  stderr: () => string
  /** Resolves once it has printed `text`; rejects with all that it printed when it ends before that. */
  printed: (text: string) => Promise<void>
  /** The address it says it serves at, once it says so. */
  serving: () => Promise<string>
  ended: Promise<Ending>
  /** Sends the signal and waits for the end. */
  kill: (signal: NodeJS.Signals) => Promise<Ending>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** What a test that was given up has left open, in the order in which it goes. */
const opened = new Set<AsyncDisposable>()
afterAll(async () => {
  for (const left of [...opened].toReversed()) await left[Symbol.asyncDispose]()
})

const main = join(import.meta.dirname, '..', 'src', 'main.ts')

/** Starts the service with these settings and none of this process's own, on a free port unless they name one. */
export function spawnService(settings: Record<string, string>): ServiceProcess {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close').then(([code, signal]): Ending => ({ code, signal }))

  async function printed(text: string): Promise<void> {
    const enough = new AbortController()
    const isOver = ended.then(() => true)
    try {
      while (!stdout.includes(text)) {
        const more = once(child.stdout, 'data', { signal: enough.signal }).then(() => false)
        if ((await Promise.race([more, isOver])) && !stdout.includes(text)) {
          throw new Error(`it ended without printing "${text}":\n${stdout}\n${stderr}`)
        }
      }
    } finally {
      enough.abort()
    }
  }

  async function kill(signal: NodeJS.Signals): Promise<Ending> {
    child.kill(signal)
    return ended
  }

  const service: ServiceProcess = {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    printed,
    async serving() {
      await printed('/docs')
      return /serving at +(http:\S+)/.exec(stdout)?.[1] ?? ''
    },
    ended,
    kill,
    async [Symbol.asyncDispose]() {
      await kill('SIGKILL')
    },
  }
  opened.add(service)
  return service
}

/** A folder for an embedded service, that takes a server which was left running in it along when it goes. */
export type DataFolder = { path: string; [Symbol.asyncDispose]: () => Promise<void> }

export async function freshDataFolder(): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), 'frontrow-data-'))
  const folder: DataFolder = {
    path,
    async [Symbol.asyncDispose]() {
      const postmaster = await postmasterOf(path)
      if (postmaster) process.kill(postmaster.pid, 'SIGQUIT')
      while (await postmaster?.isRunning()) await sleep(20)
      await rm(path, { recursive: true, force: true })
    },
  }
  opened.add(folder)
  return folder
}

/** The PostgreSQL that runs in a data folder, whoever started it. */
export function postmasterOf(dataFolder: string): Promise<Postmaster | undefined> {
  return findPostmaster(join(dataFolder, 'postgres'))
}

/** Where to ask an embedded service's PostgreSQL, while it runs. */
export async function databaseUrlOf(dataFolder: string): Promise<string> {
  const { databasePassword } = await keepSecrets(dataFolder)
  const postmaster = await postmasterOf(dataFolder)
  if (!postmaster) throw new Error(`no PostgreSQL runs in ${dataFolder}`)
  return `postgresql://frontrow:${databasePassword}@127.0.0.1:${postmaster.port}/frontrow?sslmode=disable`
}
