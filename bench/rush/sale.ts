import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { startFleet, type Fleet } from '../service.ts'
import type { RushOptions } from './options.ts'

/** Something that whoever runs the rush can mend. */
export class RushFailure extends Error {}

/** The service under the crowd. */
export type Service = {
  urls: string[]
  operatorToken: string
  /** What it is, for the report. */
  description: string
  /** Settles with the reason when a service that the rush started is lost. */
  lost: Promise<Error>
  close: () => Promise<void>
}

export type Sale = { concertId: number; seats: number; dearestSeat: number }

/** Short enough that a rush of a minute sees holds expire and no-shows make room. */
const ownSettings = { HOLD_SECONDS: '20', CLAIM_SECONDS: '10', SESSION_SECONDS: '60' }
const helloWithinMs = 3_000

/** As many seats as the shows of the demo have, dearest in front. */
const seatsPerShow = 50
const zones = [
  { from: 1, to: 10, price: 150_000 },
  { from: 11, to: 30, price: 110_000 },
  { from: 31, to: seatsPerShow, price: 70_000 },
]
const hourMs = 3_600_000

/** Uses the service at the given addresses, or the one on this machine; starts one when there is none, or several are wanted. */
export async function findService(options: RushOptions): Promise<Service> {
  const { urls, instances } = options
  const never = new Promise<never>(() => {})
  const running = (found: string[]): Service => ({
    urls: found,
    operatorToken: options.operatorToken ?? process.env['OPERATOR_TOKEN'] ?? readKeptToken(),
    description: `the service at ${found.join(', ')}`,
    lost: never,
    close: async () => {},
  })
  if (urls.length > 0) {
    for (const url of urls)
      if (!(await isServing(url))) throw new RushFailure(`No Frontrow answers at ${url}.`)
    return running(urls)
  }
  const usual = `http://localhost:${process.env['PORT'] ?? 3000}`
  if (instances === 1 && (await isServing(usual))) return running([usual])
  const fleet: Fleet = await startFleet({ instances, settings: ownSettings })
  return {
    urls: fleet.urls,
    operatorToken: fleet.operatorToken,
    description: `${instances === 1 ? 'an instance' : `${instances} instances`} started for it, on a PostgreSQL of its own (holds of ${ownSettings.HOLD_SECONDS} s, ${ownSettings.CLAIM_SECONDS} s to show up)`,
    lost: fleet.lost,
    close: fleet.close,
  }
}

async function isServing(url: string): Promise<boolean> {
  try {
    const { statusCode, body } = await request(`${url}/healthz`, {
      signal: AbortSignal.timeout(helloWithinMs),
    })
    return statusCode === 200 && ((await body.json()) as { status?: string }).status === 'ok'
  } catch {
    return false
  }
}

function readKeptToken(): string {
  const file = join(import.meta.dirname, '..', '..', '.data', 'secrets.json')
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { operatorToken: string }).operatorToken
  } catch {
    throw new RushFailure('Give the operator token of that service with --operator-token or OPERATOR_TOKEN.')
  }
}

/** Puts the concert up for sale that the crowd wants: a new one, so that a rush can be repeated. */
export async function openSale({ urls, operatorToken }: Service, options: RushOptions): Promise<Sale> {
  const { seats, capacity, ratePerSecond } = options
  const now = Date.now()
  const answer = await request(`${urls[0]}/v1/operator/concerts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      title: 'Rush',
      artist: 'The Crowd',
      venue: 'Load Hall',
      saleOpensAt: new Date(now - hourMs),
      saleClosesAt: new Date(now + 24 * hourMs),
      queue: { capacity, ratePerSecond },
      shows: planShows(seats).map((size, index) => ({
        startsAt: new Date(now + (48 + index) * hourMs),
        seats: zones
          .filter(({ from }) => from <= size)
          .map((zone) => ({ ...zone, to: Math.min(zone.to, size) })),
      })),
    }),
  })
  const body = (await answer.body.json()) as { concertId: number; code?: string; title?: string }
  if (answer.statusCode === 401 || answer.statusCode === 403) {
    throw new RushFailure(
      'The service refuses the operator token; give its own with --operator-token or OPERATOR_TOKEN.',
    )
  }
  if (answer.statusCode !== 201) {
    throw new RushFailure(`The concert was refused: ${answer.statusCode} ${body.code}: ${body.title}`)
  }
  return { concertId: body.concertId, seats, dearestSeat: zones[0]!.price }
}

/** Shows of the usual size; the last has what is left. */
function planShows(seats: number): number[] {
  return Array.from({ length: Math.ceil(seats / seatsPerShow) }, (_, index) =>
    Math.min(seatsPerShow, seats - index * seatsPerShow),
  )
}
