import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'
import { pages } from './src/routes.ts'

const folder = join(import.meta.dirname, 'dist')

/** Writes `.br` and `.gz` beside every hashed file, so that serving one costs no compression. */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    async closeBundle() {
      const assets = join(folder, 'assets')
      const names = await readdir(assets)
      await Promise.all(
        names.map(async (name) => {
          const file = join(assets, name)
          const content = await readFile(file)
          const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }
          await writeFile(`${file}.br`, await promisify(brotliCompress)(content, quality))
          await writeFile(`${file}.gz`, await promisify(gzip)(content, { level: 9 }))
        }),
      )
    },
  }
}

/** Makes the worker that keeps the pages for when there is no network. */
function keepOffline(): Plugin {
  return {
    name: 'keep-offline',
    apply: 'build',
    async generateBundle(_options, bundle) {
      const files = JSON.stringify(
        Object.keys(bundle)
          .map((name) => `/${name}`)
          .filter((name) => name.startsWith('/assets/')),
      )
      const version = createHash('sha256').update(files).digest('base64url').slice(0, 8)
      const source = await readFile(join(import.meta.dirname, 'offline-worker.js'), 'utf8')
      this.emitFile({
        type: 'asset',
        fileName: 'offline-worker.js',
        source: source.replace('${VERSION}', version).replace('...FILES', `...${files}`),
      })
    },
  }
}

/** Tells the service which addresses are pages. */
function listPages(): Plugin {
  return {
    name: 'list-pages',
    apply: 'build',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'pages.json', source: JSON.stringify(Object.values(pages)) })
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: folder,
    emptyOutDir: true,
    target: 'es2022',
    // Inlined files would need a looser Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  plugins: [listPages(), keepOffline(), precompress()],
  // `vite web` while the service runs on its usual port.
  server: { proxy: { '/v1': 'http://localhost:3000' } },
})
