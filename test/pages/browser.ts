import type { Browser, BrowserContext, Page } from 'playwright-core'
import { createConcert, Client, type NewShow } from '../client.ts'
import { freshDatabase, type TestDatabase } from '../database.ts'
import { operatorToken, startService, type TestService } from '../service.ts'

/** A phone: what most fans hold. */
export const phone = { width: 390, height: 844 }

/** Waiting longer than this for something that has been asked for means that it does not come. */
const patienceMs = 15_000

export type PageFan = { context: BrowserContext; page: Page; faults: string[]; close: () => Promise<void> }

export type FanOptions = {
  language?: 'en' | 'ko'
  theme?: 'light' | 'dark'
  viewport?: { width: number; height: number }
}

/** A fan with a browser of their own. `faults` collects what the console and the page complain about. */
export async function openFan(browser: Browser, url: string, options: FanOptions = {}): Promise<PageFan> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: options.viewport ?? phone,
    locale: options.language === 'ko' ? 'ko-KR' : 'en-US',
    colorScheme: options.theme ?? 'light',
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(patienceMs)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    // Refusals are answers; the browser reports each as a failure to load.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      faults.push(message.text())
    }
  })
  return { context, page, faults, close: () => context.close() }
}

export type Stage = {
  database: TestDatabase
  service: TestService
  client: Client
  addConcert: (options?: {
    shows?: NewShow[]
    capacity?: number
    ratePerSecond?: number
    saleOpensAt?: Date
  }) => Promise<{ concertId: number; showIds: number[] }>
  [Symbol.asyncDispose]: () => Promise<void>
}

/** A service of one's own, and the means to put concerts up for sale. */
export async function openStage(settings: Record<string, string> = {}): Promise<Stage> {
  const database = await freshDatabase()
  const service = await startService(database.url, settings)
  const client = new Client(service.url)
  return {
    database,
    service,
    client,
    addConcert: (options) => createConcert(client, operatorToken, options),
    async [Symbol.asyncDispose]() {
      await client.close()
      await service.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Types a name where one is asked for and gets in line, from the page of a concert. */
export async function getInLine(page: Page, name = 'Ada'): Promise<void> {
  const field = page.locator('input[name=name]')
  const button = page.locator('form.join button')
  await button.waitFor()
  if (await field.isVisible()) await field.fill(name)
  await button.click()
}

export const seat = (page: Page, number: number) => page.locator(`[data-seat="${number}"]`)
