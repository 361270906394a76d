import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Longer than a service takes to finish its requests on a busy machine. */
const stopWithinMs = 20_000

/** Whether processes can be kept on one core: by a tool of Linux. */
export const canPin = (process.env['PATH'] ?? '')
  .split(delimiter)
  .some((folder) => existsSync(join(folder, 'taskset')))

export type NodeOptions = {
  args: string[]
  /** The processor core that it may use; all of them when left out, or when the system cannot say. */
  core?: number | undefined
  environment?: Record<string, string | undefined>
  /** What it writes to its standard output and error is read here. */
  readsOutput?: boolean
}

/**
 * Starts this Node on a script, in a process group of its own: a terminal's Ctrl-C reaches only the one who has
 * yet to ask it something. It stops when this process is gone.
 */
export function startNode({
  args,
  core,
  environment = process.env,
  readsOutput = false,
}: NodeOptions): ChildProcess {
  const node = [process.execPath, '--import', join(import.meta.dirname, 'follow-parent.ts'), ...args]
  const [file, ...rest] =
    core !== undefined && canPin ? ['taskset', '--cpu-list', String(core), ...node] : node
  const output = readsOutput ? 'pipe' : 'inherit'
  return spawn(file!, rest, { env: environment, stdio: ['ignore', output, output, 'ipc'], detached: true })
}

export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  const timeout = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
  await closed
  clearTimeout(timeout)
}
