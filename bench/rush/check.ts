import { setTimeout as sleep } from 'node:timers/promises'
import type { HonestClient } from './honest-client.ts'
import type { Sale, Service } from './sale.ts'
import type { Purchase, Tally } from './tally.ts'

/** One promise that was looked at after the rush. */
export type Check = { name: string; holds: boolean; detail: string }

/** How long the operator's count, which follows the events, may take to catch up. */
const countWithinMs = 30_000
const lookMs = 250
const fansAtOnce = 64

/** Asks the service, and the crowd's own records, whether every promise was kept. */
export async function checkPromises(
  client: HonestClient,
  service: Service,
  sale: Sale,
  tally: Tally,
): Promise<Check[]> {
  const operator = { authorization: `Bearer ${service.operatorToken}` }
  return [
    checkSoldOnce(tally),
    checkSeatsExist(tally, sale),
    await checkReceipts(client, [...tally.purchases.values()]),
    await checkSales(client, operator, sale, tally),
    ...(await readInvariants(client, operator)),
  ]
}

function checkSoldOnce({ soldTwice, seatsSold }: Tally): Check {
  const detail =
    soldTwice.length === 0 ? `${seatsSold} seats` : `sold twice: ${JSON.stringify(soldTwice.slice(0, 5))}`
  return { name: 'The crowd was told of no seat twice', holds: soldTwice.length === 0, detail }
}

function checkSeatsExist({ seatsSold }: Tally, { seats }: Sale): Check {
  return {
    name: 'No more seats were sold than there are',
    holds: seatsSold <= seats,
    detail: `${seatsSold} of ${seats}`,
  }
}

/** Whoever was told 201 finds the payment in their list, with the same seats. */
async function checkReceipts(client: HonestClient, purchases: Purchase[]): Promise<Check> {
  const missing: string[] = []
  let next = 0
  const look = async (): Promise<void> => {
    for (let purchase = purchases[next++]; purchase; purchase = purchases[next++]) {
      if (!(await isListed(client, purchase))) missing.push(purchase.paymentId)
    }
  }
  await Promise.all(Array.from({ length: fansAtOnce }, look))
  const detail =
    missing.length === 0 ? `${purchases.length} payments` : `missing: ${missing.slice(0, 5).join(', ')}`
  return { name: 'Every confirmed payment is listed to its fan', holds: missing.length === 0, detail }
}

async function isListed(client: HonestClient, purchase: Purchase): Promise<boolean> {
  type Listed = { paymentId: string; amount: number; seats: { number: number }[] }
  const { body } = await client.call<{ payments?: Listed[] }>({
    name: 'payments',
    method: 'GET',
    path: '/v1/payments',
    headers: { authorization: `Bearer ${purchase.accessToken}` },
  })
  const listed = body.payments?.find(({ paymentId }) => paymentId === purchase.paymentId)
  const seats = listed?.seats.map(({ number }) => number)
  return listed?.amount === purchase.amount && seats?.join() === purchase.seats.join()
}

/** The operator's count is made from events: each payment once. It may hold more than fans were told of. */
async function checkSales(
  client: HonestClient,
  headers: Record<string, string>,
  { concertId }: Sale,
  { seatsSold, purchases }: Tally,
): Promise<Check> {
  const end = performance.now() + countWithinMs
  let seats = 0
  let payments = 0
  do {
    const path = `/v1/operator/concerts/${concertId}/sales`
    type Sales = { shows?: { seats: number; payments: number }[] }
    const { body } = await client.call<Sales>({ name: 'sales', method: 'GET', path, headers })
    seats = (body.shows ?? []).reduce((total, show) => total + show.seats, 0)
    payments = (body.shows ?? []).reduce((total, show) => total + show.payments, 0)
    if (seats >= seatsSold) break
    await sleep(lookMs)
  } while (performance.now() < end)
  return {
    name: 'The operator’s count has every payment that fans were told of',
    holds: seats >= seatsSold && payments >= purchases.size,
    detail: `${payments} payments of ${seats} seats`,
  }
}

async function readInvariants(client: HonestClient, headers: Record<string, string>): Promise<Check[]> {
  const { status, body } = await client.call<{
    invariants?: { name: string; holds: boolean; violations: unknown[] }[]
  }>({ name: 'invariants', method: 'GET', path: '/v1/operator/invariants', headers })
  const invariants = body.invariants ?? []
  if (status !== 200)
    return [{ name: 'The invariants can be asked for', holds: false, detail: `status ${status}` }]
  return invariants.map(({ name, holds, violations }) => ({
    name,
    holds,
    detail: holds ? '' : JSON.stringify(violations).slice(0, 500),
  }))
}
