import { chmod, mkdir, open, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StartFailure } from '../platform/start-failure.ts'

/** Makes the folder that everything embedded lives in, and answers its real path. */
export async function makeFolder(folder: string): Promise<string> {
  await makeMissing(folder)
  return realpath(folder)
}

/** Node's own recursive mkdir calls a read-only disk ENOENT. */
async function makeMissing(folder: string): Promise<void> {
  try {
    await makeOne(folder)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeMissing(dirname(folder))
    await makeOne(folder).catch((again: unknown) => {
      // What lies above it is there: this is a place like /proc.
      if (codeOf(again) !== 'ENOENT') throw again
      throw new StartFailure(
        `Frontrow cannot keep its data in ${folder}: no folder can be made there. Name another one in DATA_FOLDER, or set DATABASE_URL to use a PostgreSQL of your own.`,
      )
    })
  }
}

async function makeOne(folder: string): Promise<void> {
  // PostgreSQL of a service that runs as root belongs to another user, who must be able to pass through here. He
  // may not list it, and the secrets are 0600.
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700
  try {
    await mkdir(folder)
    await chmod(folder, mode)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** Makes the names in a folder durable: a file that was renamed or linked is still there after a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folders, and keeps their names by itself.
  if (process.platform === 'win32') return
  await using handle = await open(folder)
  await handle.sync()
}
