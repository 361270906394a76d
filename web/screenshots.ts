/**
 * Makes `docs/screenshots/*.png`: a service of its own with the demo concerts, a crowd, and a fan who buys.
 * `npm run screenshots`; with a folder (`npm run screenshots -- /tmp/all`) every page in both themes, both languages
 * and both widths goes there instead. Korean text needs a Korean font on the machine.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import type { Browser, Page } from 'playwright-core'
import { buildApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { openEmbeddedPostgres } from '../src/embedded/postgres.ts'
import { addDemoData } from '../src/operator/demo-data.ts'
import { openDatabase } from '../src/platform/postgres/database.ts'
import { migrate } from '../src/platform/postgres/migrate.ts'
import { Client, Fan } from '../test/client.ts'
import { openBrowser } from '../test/pages/chromium.ts'
import { buildPages } from './build.ts'

const root = join(import.meta.dirname, '..')
const secrets = {
  tokenSecret: 'for screenshots only, and nothing else',
  operatorToken: 'for-screenshots-only',
}
/** The large demo concert, whose line is long. */
const crowded = 3
const crowd = 1_240
const movesEveryMs = 80
/** Long enough to have come a part of the way. */
const waitInLineMs = process.argv.length > 2 ? 0 : 20_000

type Look = { language: 'en' | 'ko'; theme: 'light' | 'dark'; width: 'phone' | 'desktop' }

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 860 } }

/** What the README shows. */
const chosen = new Map<string, Look[]>([
  ['concerts', [{ language: 'en', theme: 'light', width: 'desktop' }]],
  ['line', [{ language: 'en', theme: 'dark', width: 'phone' }]],
  [
    'seats',
    [
      { language: 'en', theme: 'light', width: 'phone' },
      { language: 'ko', theme: 'dark', width: 'desktop' },
    ],
  ],
  ['checkout', [{ language: 'en', theme: 'light', width: 'phone' }]],
  ['ticket', [{ language: 'en', theme: 'light', width: 'phone' }]],
])

const every: Look[] = (['en', 'ko'] as const).flatMap((language) =>
  (['light', 'dark'] as const).flatMap((theme) =>
    (['phone', 'desktop'] as const).map((width) => ({ language, theme, width })),
  ),
)

async function main(): Promise<void> {
  const [folder] = process.argv.slice(2)
  const out = folder ?? join(root, 'docs', 'screenshots')
  await mkdir(out, { recursive: true })
  await buildPages()
  await using opened = new AsyncDisposableStack()
  const data = await mkdtemp(join(tmpdir(), 'frontrow-screenshots-'))
  opened.defer(() => rm(data, { recursive: true, force: true }))
  const { url, client } = await openService(data, opened)
  const fans = (await fillHouse(client)).toSorted((a, b) => numberOf(a) - numberOf(b))
  const done = new AbortController()
  const moving = moveOn(fans, done.signal)
  opened.defer(async () => {
    done.abort()
    await moving
  })
  const browser = opened.adopt(await openBrowser(), (one) => one.close())
  for (const look of every) {
    const pages = folder ? undefined : pagesOf(look)
    if (pages?.size !== 0) await photograph(browser, url, look, out, pages)
  }
}

function pagesOf(look: Look): Set<string> {
  const wanted = JSON.stringify(look)
  return new Set(
    [...chosen]
      .filter(([, looks]) => looks.some((one) => JSON.stringify(one) === wanted))
      .map(([name]) => name),
  )
}

async function openService(data: string, opened: AsyncDisposableStack) {
  const postgres = opened.use(await openEmbeddedPostgres({ folder: data, password: 'screenshots' }))
  const config = readConfig({ DATA_FOLDER: data, RATE_LIMITS: 'off' }, root)
  const database = openDatabase({
    url: postgres.databaseUrl,
    poolMax: 8,
    statementTimeoutMs: 10_000,
    onError: () => {},
  })
  opened.defer(() => database.close())
  await migrate(database, join(root, 'migrations'))
  await addDemoData(database)
  const log = pino({ level: 'error' })
  const app = opened.adopt(await buildApp({ config: { ...config, ...secrets }, database, log }), (one) =>
    one.close(),
  )
  const url = await app.http.listen({ host: '127.0.0.1', port: 0 })
  const client = new Client(url)
  opened.defer(() => client.close())
  return { url, client }
}

/** Fans who bought or hold seats of the first concert, and a crowd before the large one. */
async function fillHouse(client: Client): Promise<Fan[]> {
  const taken = [[1, 2], [5], [14, 15, 16], [23, 24], [28], [33, 34, 35, 36], [45, 46], [50]]
  const held = [[9, 10], [19], [41, 42]]
  const { body } = await client.call('GET', '/v1/concerts/1')
  const showId: number = body['shows'][0]['showId']
  for (const seats of [...taken, ...held]) {
    const fan = await Fan.signUp(client)
    await fan.join(1)
    await fan.charge(1_000_000)
    const { body: hold } = await fan.hold(showId, seats)
    if (taken.includes(seats)) await fan.pay(hold['reservationId'])
  }
  await client.call(
    'PATCH',
    `/v1/operator/concerts/${crowded}/queue`,
    { authorization: `Bearer ${secrets.operatorToken}` },
    { capacity: 40 },
  )
  const fans = await Promise.all(Array.from({ length: crowd }, () => Fan.signUp(client)))
  await Promise.all(fans.map((fan) => fan.join(crowded)))
  return fans
}

/** A fan's number, as the token says. */
function numberOf(fan: Fan): number {
  const [, payload] = fan.queueToken.split('.')
  return JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()).number
}

/** Lets the line move: whoever is inside leaves after a while, in the order in which they came. */
async function moveOn(fans: Fan[], signal: AbortSignal): Promise<void> {
  for (const fan of fans) {
    await sleep(movesEveryMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    await fan.leave()
  }
}

async function photograph(
  browser: Browser,
  url: string,
  look: Look,
  out: string,
  wanted: Set<string> | undefined,
): Promise<void> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: sizes[look.width],
    deviceScaleFactor: look.width === 'phone' ? 2 : 1,
    locale: look.language === 'ko' ? 'ko-KR' : 'en-US',
    colorScheme: look.theme,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const shoot = async (name: string) => {
    if (wanted && !wanted.has(name)) return
    await page.evaluate('scrollTo(0, 0)')
    const file = `${name}-${look.width}-${look.theme}-${look.language}.png`
    await page.screenshot({ path: join(out, file), animations: 'disabled' })
    process.stdout.write(`${file}\n`)
  }
  await walk(page, look, shoot)
  await context.close()
}

/** The way of a fan, with a picture at every stop. */
async function walk(page: Page, look: Look, shoot: (name: string) => Promise<void>): Promise<void> {
  const button = (selector: string) => page.locator(selector).first().click()
  await page.goto('/')
  await page.locator('.card').first().waitFor()
  await shoot('concerts')
  await page.goto('/concerts/2')
  await page.locator('.notice').waitFor()
  await shoot('upcoming')

  await page.goto(`/concerts/${crowded}`)
  await page.locator('.join-line').waitFor()
  await page.locator('input[name=name]').fill(look.language === 'ko' ? '김하늘' : 'Ada Lovelace')
  await shoot('concert')
  await button('.join button')
  await page.locator('.waiting').waitFor()
  // A few seconds on, the line has moved and has a pace.
  await page.locator('.waiting-facts', { hasNotText: '–' }).waitFor()
  await sleep(waitInLineMs)
  await shoot('line')
  await button('.waiting > .button-quiet')
  await button('.confirm .button-quiet')

  await page.goto('/concerts/1')
  await button('.join button')
  await page.locator('.date').first().waitFor()
  await shoot('dates')
  await button('.date a')
  await page.locator('.seat-available').first().waitFor()
  const free = await page
    .locator('.seat-available')
    .evaluateAll((seats) => seats.map((one) => one.getAttribute('data-seat')))
  for (const seat of free.slice(1, 3)) await button(`[data-seat="${seat}"]`)
  await shoot('seats')
  await button('.basket-foot button')
  await page.locator('.charge').waitFor()
  await shoot('low-balance')
  await button('.charge-amounts .button-main')
  await page.locator('.checkout-pay > .button-main').waitFor()
  await shoot('checkout')
  await button('.checkout-pay > .button-main')
  await page.locator('.ticket').waitFor()
  await shoot('ticket')
  for (const [name, path] of Object.entries({
    reservations: '/me',
    payments: '/me/payments',
    balance: '/me/balance',
  })) {
    await page.goto(path)
    await page.locator('.list li').first().waitFor()
    await shoot(name)
  }
  await page.goto('/nowhere')
  await page.locator('.empty').waitFor()
  await shoot('not-found')
}

await main()
