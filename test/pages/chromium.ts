import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import chromiumPack, { inflate } from '@sparticuz/chromium'
import { chromium, type Browser } from 'playwright-core'

const packageFolder = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..')
/** The libraries that Chromium wants beside it, which a bare container lacks. */
const libraries = join(tmpdir(), 'al2023')

/**
 * The package's own arguments are for a function in a cloud: one process for everything, which many pages at once
 * bring down, and no security between sites.
 */
const launchArguments = ['--no-sandbox', '--headless=shell', '--disable-gpu', '--font-render-hinting=none']

/** Unpacks the browser, once per machine. Two at once would run into each other's half of a file. */
export async function unpackChromium(): Promise<string> {
  if (!existsSync(libraries)) await inflate(join(packageFolder, 'bin', 'al2023.tar.br'))
  return chromiumPack.executablePath()
}

/** A real Chromium from an npm package: no system package is needed. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = await unpackChromium()
  const path = [join(libraries, 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':')
  const env = { ...process.env, LD_LIBRARY_PATH: path } as Record<string, string>
  return chromium.launch({ executablePath, args: launchArguments, headless: true, env })
}
