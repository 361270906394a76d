/**
 * Builds the pages into `web/dist` when they are missing or older than their source. `npm install` runs it, so that
 * `npm start` serves pages at once; without the tools for building (`npm ci --omit=dev`) it says so and does nothing.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

const root = import.meta.dirname

async function newestIn(path: string): Promise<number> {
  const names = await readdir(path, { recursive: true })
  const times = await Promise.all(names.map(async (name) => (await stat(join(path, name))).mtimeMs))
  return Math.max(...times)
}

async function isFresh(): Promise<boolean> {
  const built = await stat(join(root, 'dist', 'index.html')).catch(() => undefined)
  if (!built) return false
  const sources = await Promise.all([
    newestIn(join(root, 'src')),
    newestIn(join(root, 'public')),
    ...['index.html', 'offline-worker.js', 'vite.config.ts'].map(
      async (name) => (await stat(join(root, name))).mtimeMs,
    ),
  ])
  return built.mtimeMs > Math.max(...sources)
}

export async function buildPages(): Promise<void> {
  if (await isFresh()) return
  const vite = await import('vite').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  if (!vite) {
    process.stdout.write(
      'The pages are not built: their tools are not installed. The API serves without them.\n',
    )
    return
  }
  await vite.build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn' })
}

if (import.meta.main) await buildPages()
