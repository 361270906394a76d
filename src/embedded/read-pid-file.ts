import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a server says of itself in its data folder. */
export type PidFile = {
  pid: number
  /** The folder as it was called when the server started. */
  startedIn: string
  port: number
  isReady: boolean
}

export const pidFileOf = (dataFolder: string): string => join(dataFolder, 'postmaster.pid')

/**
 * Reads `postmaster.pid`; undefined when there is none. `incomplete` for a moment while a server starts, or for
 * good when a full disk or a power cut left it so.
 */
export async function readPidFile(dataFolder: string): Promise<PidFile | 'incomplete' | undefined> {
  const text = await readFile(pidFileOf(dataFolder), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  // Process, folder, start time, port, socket folder, address, shared memory, state.
  const [pid, startedIn, , port, end, , , state] = text.split('\n')
  if (!startedIn || end === undefined) return 'incomplete'
  return { pid: Number(pid), startedIn, port: Number(port), isReady: state?.trim() === 'ready' }
}
