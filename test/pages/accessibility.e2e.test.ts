import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser, Page } from 'playwright-core'
import { Fan } from '../client.ts'
import { getInLine, openFan, openStage, seat, type Stage } from './browser.ts'
import { openBrowser } from './chromium.ts'

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

let browser: Browser
let stage: Stage

beforeAll(async () => {
  stage = await openStage()
  browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
  await stage?.[Symbol.asyncDispose]()
})

/** What axe finds wrong with the page by WCAG 2.2 AA and its own best practices. */
async function audit(page: Page): Promise<string[]> {
  // As a browser extension would: the page's own policy lets nothing in.
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run: () => Promise<{
          violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
        }>
      }
    }
    const { violations } = await axe.run()
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`)
  })
  return found.map((line) => `${new URL(page.url()).pathname} ${line}`)
}

/** No page may be wider than the narrowest phone. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
}

describe.each([
  ['en', 'light'],
  ['en', 'dark'],
  ['ko', 'light'],
  ['ko', 'dark'],
] as const)('in %s and %s', (language, theme) => {
  test('axe finds nothing on any page, and none is wider than 320 px', async () => {
    const { concertId, showIds } = await stage.addConcert({ capacity: 2 })
    const upcoming = await stage.addConcert({ saleOpensAt: new Date(Date.now() + 3_600_000) })
    const viewport = { width: 320, height: 720 }
    const fan = await openFan(browser, stage.service.url, { language, theme, viewport })
    const { page } = fan
    await page.addInitScript({ path: axePath })
    const found: string[] = []
    const look = async (selector: string) => {
      await page.locator(selector).first().waitFor()
      found.push(...(await audit(page)))
      const wider = await overflow(page)
      if (wider > 0) found.push(`${new URL(page.url()).pathname} is ${wider} px wider than 320`)
    }
    await page.goto('/me')
    await look('.empty')
    await page.goto('/nowhere')
    await look('.empty')
    await page.goto('/')
    await look('.card')
    await page.goto(`/concerts/${upcoming.concertId}`)
    await look('.notice')

    const others = await Promise.all([Fan.signUp(stage.client), Fan.signUp(stage.client)])
    for (const other of others) await other.join(concertId)
    await others[0].hold(showIds[0]!, [2, 3])
    await page.goto(`/concerts/${concertId}`)
    await look('.join')
    await getInLine(page)
    await look('.waiting')
    for (const other of others) await other.leave()
    await look('.date')
    await page.locator('.date a').click()
    await seat(page, 7).click()
    await seat(page, 8).click()
    await look('.basket-seats li')
    await page.locator('.basket-foot button').click()
    await look('.charge')
    await page.locator('.charge-amounts .button-main').click()
    await page.locator('.checkout-pay > .button-main').waitFor()
    await look('.checkout')
    await page.locator('.checkout-pay > .button-main').click()
    await look('.ticket')
    await page.locator('.ticket-page .actions a').last().click()
    for (const tab of ['/me', '/me/payments', '/me/balance']) {
      await page.goto(tab)
      await look('.list li')
    }
    expect(found).toEqual([])
    expect(fan.faults).toEqual([])
    await fan.close()
  })
})
