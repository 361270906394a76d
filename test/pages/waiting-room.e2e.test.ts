import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Browser } from 'playwright-core'
import { Fan } from '../client.ts'
import { getInLine, openFan, openStage, seat, type Stage } from './browser.ts'
import { openBrowser } from './chromium.ts'

let browser: Browser
let stage: Stage

beforeAll(async () => {
  stage = await openStage({ HOLD_SECONDS: '3', SESSION_SECONDS: '60' })
  browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
  await stage?.[Symbol.asyncDispose]()
})

/** A line of one place inside, which a fan takes, and another who waits next. */
async function fullHouse() {
  const { concertId, showIds } = await stage.addConcert({ capacity: 1 })
  const inside = await Fan.signUp(stage.client)
  await inside.join(concertId)
  const next = await Fan.signUp(stage.client)
  await next.join(concertId)
  return { concertId, showIds, inside, next }
}

test('whoever waits keeps the place through a reload, a lost network and a second tab, and is let in when it is their turn', async () => {
  const { concertId, inside, next } = await fullHouse()
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.getByText('Your number: 3').waitFor()
  expect(await page.locator('.waiting-ahead').textContent()).toBe('1person ahead of you')

  await page.reload()
  await page.getByText('Your number: 3').waitFor()

  const second = await fan.context.newPage()
  await second.goto(`/concerts/${concertId}`)
  await second.getByText('Back to your place in line').click()
  await second.getByText('Your number: 3').waitFor()

  await page.evaluate(() => navigator.serviceWorker.ready)
  await fan.context.setOffline(true)
  await page.getByText('Your place is kept on the server').waitFor()
  // The pages themselves are kept, too: a reload in a tunnel shows them, and the place.
  await page.reload()
  await page.getByRole('banner').waitFor()
  await next.leave()
  await fan.context.setOffline(false)
  // The line moves by itself again, without a tap.
  await inside.leave()
  await page.getByRole('heading', { name: 'Choose a date' }).waitFor()
  await second.getByRole('heading', { name: 'Choose a date' }).waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('leaving the line asks once more, gives the place up, and offers the way back', async () => {
  const { concertId } = await fullHouse()
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.getByRole('button', { name: 'Leave the line' }).click()
  await page.getByRole('button', { name: 'Stay in line' }).click()
  await page.getByText('Your number: 3').waitFor()
  await page.getByRole('button', { name: 'Leave the line' }).click()
  const left = page.waitForResponse((response) => response.request().method() === 'DELETE')
  await page.getByRole('button', { name: 'Yes, leave' }).click()
  expect((await left).status()).toBe(204)
  await getInLine(page)
  await page.getByText('Your number: 4').waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('a line is followed by asking where streams do not get through', async () => {
  const { concertId, inside, next } = await fullHouse()
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.route('**/events', (route) => route.abort())
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.getByText('Your number: 3').waitFor()
  await next.leave()
  await inside.leave()
  await page.locator('.date a').click()
  await seat(page, 1).waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('a hold that runs out says so, and leads back to the map', async () => {
  const { concertId } = await stage.addConcert()
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.locator('.date a').click()
  await seat(page, 5).click()
  await page.locator('.basket-foot button').click()
  await page.getByRole('timer').waitFor()
  await page.getByRole('heading', { name: 'The time is up' }).first().waitFor()
  await page.getByText('Seat 5 went back on sale. Nothing was charged.').waitFor()
  await page.getByRole('link', { name: 'Choose seats again' }).click()
  await page.locator('[data-seat="5"].seat-available').waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('a concert that sells out while a fan waits says so, and leads to others', async () => {
  const { concertId, showIds } = await stage.addConcert({ shows: [{ seats: 1 }], capacity: 1 })
  const buyer = await Fan.signUp(stage.client)
  await buyer.join(concertId)
  // The next in line may be let in before the last seat is known to be sold.
  await (await Fan.signUp(stage.client)).join(concertId)
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.getByText('Your number: 3').waitFor()
  await buyer.charge(10_000)
  const { body } = await buyer.hold(showIds[0]!, [1])
  expect((await buyer.pay(body['reservationId'])).status).toBe(201)
  await page.getByRole('heading', { name: 'Sold out while you waited' }).first().waitFor()
  await page.getByRole('link', { name: 'See other concerts' }).click()
  await page.locator(`.card-sold-out a[href="/concerts/${concertId}"]`).click()
  await page.getByText('Every seat is sold.').waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})

test('time inside that runs out says so, and leads back to the line', async () => {
  const { concertId } = await stage.addConcert()
  const fan = await openFan(browser, stage.service.url)
  const { page } = fan
  await page.goto(`/concerts/${concertId}`)
  await getInLine(page)
  await page.locator('.date a').click()
  await seat(page, 1).waitFor()
  // Ended elsewhere: on another device of the same fan, or by the clock.
  const token = await page.evaluate(
    () => Object.values(JSON.parse(localStorage.getItem('frontrow:places') ?? '{}'))[0],
  )
  const { status } = await stage.client.call('DELETE', '/v1/queue', {
    'queue-token': (token as { token: string }).token,
  })
  expect(status).toBe(204)
  await seat(page, 1).click()
  await page.locator('.basket-foot button').click()
  await page.getByRole('heading', { name: 'You have left the line' }).first().waitFor()
  await page.getByRole('link', { name: 'Get in line again' }).click()
  await getInLine(page)
  await page.getByRole('heading', { name: 'Choose a date' }).waitFor()
  expect(fan.faults).toEqual([])
  await fan.close()
})
