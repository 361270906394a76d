import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pages } from '../../web/src/routes.ts'
import { openFan, openStage, type Stage } from './browser.ts'
import { openBrowser } from './chromium.ts'

let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]()
})

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${stage.service.url}${path}`, { headers })

test('every page is served at its address, whatever a link adds behind it', async () => {
  for (const path of Object.values(pages)) {
    const response = await get(`${path.replaceAll(/:\w+/g, '1')}?utm_source=poster`)
    expect([path, response.status, response.headers.get('content-type')]).toEqual([
      path,
      200,
      'text/html; charset=utf-8',
    ])
  }
})

test('a mistyped address is a page for a person and a problem for a program', async () => {
  const forPerson = await get('/consert', { accept: 'text/html' })
  expect([forPerson.status, await forPerson.text()]).toEqual([404, expect.stringContaining('<div id="app">')])
  const forProgram = await get('/consert')
  expect([forProgram.status, await forProgram.json()]).toMatchObject([404, { code: 'route-not-found' }])
  const call = await get('/v1/consert', { accept: 'text/html' })
  expect([call.status, await call.json()]).toMatchObject([404, { code: 'route-not-found' }])
})

test('pages carry a policy that lets nothing in from elsewhere and nothing inline', async () => {
  for (const path of ['/', '/icon.svg']) {
    const policy = (await get(path)).headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self'")
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
  }
})

test('files with a hash are kept for a year and served as they were compressed; the page itself is asked for anew', async () => {
  const page = await get('/', { 'accept-encoding': 'br' })
  expect(page.headers.get('cache-control')).toBe('no-cache')
  const again = await get('/', { 'if-none-match': page.headers.get('etag') ?? '' })
  expect(again.status).toBe(304)
  const [script] = (await page.text()).match(/\/assets\/[\w-]+\.js/) ?? []
  const response = await get(script ?? '', { 'accept-encoding': 'br, gzip' })
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect(response.headers.get('content-encoding')).toBe('br')
  expect(response.headers.get('vary')).toContain('accept-encoding')
})

test('the first page needs less than 40 kB of compressed script and style, all from this host', async () => {
  const browser = await openBrowser()
  const fan = await openFan(browser, stage.service.url)
  const loaded: string[] = []
  fan.page.on('response', (response) => loaded.push(response.url()))
  await stage.addConcert()
  await fan.page.goto('/')
  await fan.page.locator('.card').first().waitFor()
  const first = [...loaded]
  expect(first.filter((url) => !url.startsWith(stage.service.url))).toEqual([])
  const files = first.map((url) => new URL(url).pathname).filter((path) => /\.(js|css)$/.test(path))
  const folder = join(import.meta.dirname, '..', '..', 'web', 'dist')
  const sizes = await Promise.all(
    files.map(async (file) => gzipSync(await readFile(join(folder, file))).length),
  )
  expect(files.length).toBeGreaterThan(2)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(40_000)
  await browser.close()
})
