import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser } from 'playwright-core'
import { checkInvariants } from '../../src/operator/check-invariants.ts'
import { Fan } from '../client.ts'
import { getInLine, openFan, openStage, seat, type Stage } from './browser.ts'
import { openBrowser } from './chromium.ts'

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

const words = {
  en: {
    seat: 'Seat 7, ₩10,000, free',
    add: 'Add ₩20,000',
    pay: 'Pay ₩20,000',
    ticket: 'See you there!',
    seats: 'Seats 7, 8',
    paid: 'Paid for seats',
    payments: 'Payments',
    balance: 'Balance',
  },
  ko: {
    seat: '좌석 7, 10,000원, 선택 가능',
    add: '20,000원 충전',
    pay: '20,000원 결제',
    ticket: '공연장에서 만나요!',
    seats: '7, 8번 좌석',
    paid: '좌석 결제',
    payments: '결제',
    balance: '잔액',
  },
}

describe.each(['en', 'ko'] as const)('in %s', (language) => {
  const say = words[language]

  test('a fan buys two seats with a thumb: line, date, seats, charge, pay, ticket, receipts', async () => {
    const { concertId } = await stage.addConcert({ shows: [{}, {}] })
    const fan = await openFan(browser, stage.service.url, { language })
    const { page } = fan
    await page.goto('/')
    await page.locator(`a[href="/concerts/${concertId}"]`).click()
    await getInLine(page, '김하늘')
    await page.locator('.date a').first().click()
    await page.getByRole('button', { name: say.seat, exact: true }).click()
    await seat(page, 8).click()
    expect(await page.locator('.basket-total').textContent()).toContain('20,000')
    await page.locator('.basket-foot button').click()
    await page.getByRole('button', { name: say.add }).click()
    await page.getByRole('button', { name: say.pay }).click()

    await page.getByRole('heading', { name: say.ticket }).waitFor()
    const ticket = page.locator('.ticket')
    expect(await ticket.textContent()).toMatch(/A concert of the tests.*7, 8.*김하늘.*20,000/s)
    expect(await ticket.getByRole('img').getAttribute('aria-label')).toContain(page.url().split('/').at(-1))

    await page.locator('.top a[href="/me"]').click()
    await page.getByText(say.seats).waitFor()
    await page.locator('.tabs').getByText(say.payments, { exact: true }).click()
    await page.getByText(say.seats).waitFor()
    await page.locator('.tabs').getByText(say.balance).click()
    await page.getByText(say.paid).waitFor()
    expect(await page.locator('.balance b').textContent()).toMatch(/^₩?0원?$/)
    expect(fan.faults).toEqual([])
    await fan.close()
    expect((await checkInvariants(stage.database)).filter(({ holds }) => !holds)).toEqual([])
  })
})

test('the language and the appearance that a fan chooses are still there after a reload', async () => {
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto('/')
  await page.getByRole('button', { name: '한국어' }).click()
  await page.getByRole('heading', { name: '그 순간, 맨 앞줄에서.' }).waitFor()
  await page.getByRole('button', { name: '화면 모드: 자동' }).click()
  await page.reload()
  await page.getByRole('button', { name: '화면 모드: 밝게' }).waitFor()
  expect(await page.locator('html').getAttribute('lang')).toBe('ko')
  expect(await page.locator('html').getAttribute('data-theme')).toBe('light')
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('two fans, one seat: one holds it, the other sees it go and is offered one close by', async () => {
  const { concertId, showIds } = await stage.addConcert()
  const url = `/concerts/${concertId}/shows/${showIds[0]}`
  const [first, second] = await Promise.all([
    openFan(browser, stage.service.url),
    openFan(browser, stage.service.url),
  ])
  for (const { page } of [first, second]) {
    await page.goto(`/concerts/${concertId}`)
    await getInLine(page)
    await page.locator(`a[href="${url}"]`).click()
    await seat(page, 7).click()
  }
  // Cut off from the map, the second fan does not see it coming.
  await second.page.route('**/seats**', (route) => route.abort())
  await second.page.evaluate(() => dispatchEvent(new Event('offline')))
  await first.page.locator('.basket-foot button').click()
  await first.page.waitForURL('**/reservations/*')
  await second.page.locator('.basket-foot button').click()

  const notice = second.page.locator('.basket .notice')
  await notice.getByText('Seat 7 was taken a moment ago.').waitFor()
  expect(await seat(second.page, 7).getAttribute('aria-label')).toContain('held by someone')
  await notice.getByRole('button', { name: /^Choose [68] instead$/ }).click()
  await second.page.locator('.basket-foot button').click()
  await second.page.waitForURL('**/reservations/*')
  await Promise.all([first.close(), second.close()])
})

test('a seat that another fan takes or lets go changes on the map by itself', async () => {
  const { concertId, showIds } = await stage.addConcert()
  const fan = await openFan(browser, stage.service.url)
  const other = await Fan.signUp(stage.client)
  await other.join(concertId)
  await fan.page.goto(`/concerts/${concertId}`)
  await getInLine(fan.page)
  await fan.page.locator('.date a').click()
  await seat(fan.page, 9).click()
  const { body } = await other.hold(showIds[0]!, [9])
  await fan.page.locator('[data-seat="9"].seat-held').waitFor()
  await fan.page.getByText('Seat 9 was taken a moment ago.').waitFor()
  await other.cancel(body['reservationId'])
  await fan.page.locator('[data-seat="9"].seat-available').waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('a double tap, a lost answer and a reload while paying buy once', async () => {
  const { concertId } = await stage.addConcert()
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.locator('.date a').click()
  await seat(page, 3).click()
  await page.locator('.basket-foot button').dblclick()
  await page.getByRole('button', { name: 'Add ₩10,000' }).dblclick()
  const pay = page.getByRole('button', { name: 'Pay ₩10,000' })
  await pay.waitFor()

  // The payment arrives, its answer does not.
  const keys: (string | undefined)[] = []
  await page.route('**/v1/payments', async (route) => {
    keys.push(route.request().headers()['idempotency-key'])
    if (keys.length === 1) {
      await route.fetch()
      await route.abort()
    } else await route.continue()
  })
  await pay.click()
  await page.getByText('Checking whether it went through').waitFor()
  await page.reload()
  await page.getByRole('heading', { name: 'See you there!' }).waitFor()
  await page.goBack()
  await page.goForward()
  await page.getByRole('heading', { name: 'See you there!' }).waitFor()
  expect(new Set(keys).size).toBe(1)

  const account = await page.evaluate(() => localStorage.getItem('frontrow:account'))
  const { userId, accessToken } = JSON.parse(account ?? '{}')
  const { body } = await stage.client.call('GET', `/v1/users/${userId}/balance/entries`, {
    authorization: `Bearer ${accessToken}`,
  })
  expect(body['entries'].map(({ amount }: { amount: number }) => amount)).toEqual([-10_000, 10_000])
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('a balance that is too low says what is missing, and a wrong amount is explained', async () => {
  const { concertId } = await stage.addConcert()
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.locator('.date a').click()
  await seat(page, 4).click()
  await page.locator('.basket-foot button').click()
  await page.getByText('₩10,000 more is needed.').waitFor()
  expect(await page.getByRole('button', { name: /^Pay/ }).count()).toBe(0)
  await page.getByText('Another amount').click()
  const field = page.getByLabel('Amount in won')
  await field.fill('0')
  await field.press('Enter')
  await page.getByText('Please type a whole amount from ₩1').waitFor()
  await field.fill('4,000')
  await field.press('Enter')
  await page.getByText('₩6,000 more is needed.').waitFor()
  await page.getByRole('button', { name: 'Add ₩6,000' }).click()
  await page.getByRole('button', { name: 'Pay ₩10,000' }).click()
  await page.getByRole('heading', { name: 'See you there!' }).waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('with the keyboard alone: in line, across the map, and to the ticket', async () => {
  const { concertId } = await stage.addConcert()
  const fan = await openFan(browser, stage.service.url, { viewport: { width: 1280, height: 900 } })
  const { page } = fan
  const { keyboard } = page
  const focusIs = (selector: string) => page.locator(`${selector}:focus`).waitFor()
  /** Tabs on until what is looked for has the focus, as a fan would. */
  async function tabTo(selector: string): Promise<void> {
    const target = page.locator(selector).first()
    await target.waitFor()
    for (let presses = 0; presses < 40; presses++) {
      if (await target.evaluate((element) => element === document.activeElement)) return
      await keyboard.press('Tab')
    }
    throw new Error(`${selector} is not reached with Tab`)
  }
  await page.goto(`/concerts/${concertId}`)
  await tabTo('input[name=name]')
  await keyboard.type('Ada')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Choose a date' }).waitFor()
  await focusIs('h1')
  await tabTo('.date a')
  await keyboard.press('Enter')
  await tabTo('[data-seat="1"]')
  await keyboard.press('ArrowRight')
  await keyboard.press('ArrowDown')
  await focusIs('[data-seat="12"]')
  await keyboard.press('Space')
  await keyboard.press('End')
  await focusIs('[data-seat="20"]')
  await keyboard.press('Control+Home')
  await focusIs('[data-seat="1"]')
  expect(await seat(page, 12).getAttribute('aria-pressed')).toBe('true')
  expect(await page.locator('[role=grid] [tabindex="0"]').count()).toBe(1)
  await tabTo('.basket-foot button')
  await keyboard.press('Enter')
  await tabTo('.charge-amounts button')
  await keyboard.press('Enter')
  await page.getByRole('button', { name: 'Pay ₩10,000' }).waitFor()
  await tabTo('.checkout-pay > .button-main')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'See you there!' }).waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})
