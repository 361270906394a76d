import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cpus } from 'node:os'
import { startLoadProcess } from '../load/load-process.ts'
import type { PollResult } from '../load/tasks.ts'
import { costOf, readProcessorTime, type Cost } from '../processor-time.ts'
import { watchFleet } from '../profile.ts'
import { startFleet, type Fleet } from '../service.ts'
import { canPin, startNode, stopChild } from '../start-node.ts'
import type { Scenario } from './scenario.ts'

const fans = 2_000
/** One fan is inside and stays there, so that the others wait for as long as it takes. */
const oneInside = { capacity: 1, ratePerSecond: 1 }

/**
 * Polls of fans who wait, beside a bare route of the same framework that returns the same bytes. The two take turns,
 * so that whatever else the machine does meets both.
 */
export const poll: Scenario = async ({ isQuick, connections, profiled, say, signal, ...options }) => {
  const seconds = isQuick ? 2 : 5
  const rounds = options.rounds ?? (isQuick ? 3 : 5)
  const isPinned = canPin && cpus().length > 1
  const [serviceCore, loadCore] = isPinned ? [0, 1] : [undefined, undefined]

  await using fleet = await startFleet({ core: serviceCore, watched: profiled })
  await using load = await startLoadProcess(signal, loadCore)
  const service = fleet.urls[0]!
  await load.run('connect', { url: service, connections })
  await load.run('signUp', { fans, balance: 0 })
  const { operatorToken } = fleet
  await load.run('join', { operatorToken, seats: fans, ...oneInside })
  await using bare = await startBareRoute(await readAnswer(fleet), serviceCore)

  const measure = async (url: string): Promise<Round> => {
    await load.run('connect', { url, connections })
    const server = url === service ? fleet.instances[0]!.pid : bare.pid
    const pids = { service: server, postgres: fleet.postgresPid, load: load.pid }
    const before = readProcessorTime(pids)
    const result = await load.run('poll', { seconds })
    const after = readProcessorTime(pids)
    return { ...result, cost: before && after ? [costOf(before, after, result.count)] : [] }
  }
  const warmUp = [await measure(service), await measure(bare.url)]
  say(`warming up: ${warmUp.map(perSecond).join(' and bare ')} polls/s`)
  const polls: Round[] = []
  const bares: Round[] = []
  for (let round = 1; round <= rounds; round++) {
    polls.push(await measure(service))
    bares.push(await measure(bare.url))
    say(`round ${round} of ${rounds}: ${perSecond(polls.at(-1)!)} polls/s, bare ${perSecond(bares.at(-1)!)}`)
  }
  let profile
  if (profiled) {
    const watch = await watchFleet(fleet)
    await measure(service)
    profile = await watch.finish()
  }

  const cores = isPinned
    ? 'the service on one core, the load on another'
    : 'the service and the load on the same cores'
  return {
    name: 'poll',
    how: `GET /v1/queue of ${fans - 1} waiting fans, ${connections} connections, ${cores}; in turns with a bare Fastify route that returns the same bytes, ${seconds} s each.`,
    measures: [
      { name: 'polls', unit: 'polls/s', values: polls.map(perSecond), target: { atLeast: 25_000 } },
      { name: 'bare route', unit: 'requests/s', values: bares.map(perSecond) },
      {
        name: 'polls to bare',
        unit: '%',
        values: polls.map((result, round) => (100 * perSecond(result)) / perSecond(bares[round]!)),
      },
      { name: 'poll p50', unit: 'ms', values: polls.map(({ pollMs }) => pollMs.p50) },
      { name: 'poll p99', unit: 'ms', values: polls.map(({ pollMs }) => pollMs.p99) },
      { name: 'processor: service', unit: 'µs/poll', values: costs(polls, 'service') },
      { name: 'processor: bare route', unit: 'µs/request', values: costs(bares, 'service') },
      { name: 'processor: others', unit: '% of it', values: costs([...polls, ...bares], 'othersPercent') },
    ],
    ...(profile ? { profile } : {}),
  }
}

/** `cost` is empty where the system does not tell. */
type Round = PollResult & { cost: Cost[] }

const costs = (rounds: Round[], part: keyof Cost): number[] =>
  rounds.flatMap(({ cost }) => cost).map((cost) => cost[part])

const perSecond = ({ count, seconds }: PollResult): number => Math.round(count / seconds)

type Bytes = { headers: Record<string, string>; body: string }

/** What the service answers to a fan who waits. */
async function readAnswer({ urls, operatorToken }: Fleet): Promise<Bytes> {
  const [url] = urls
  const post = async (path: string, token: string, body: object) => {
    const answer = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
    return (await answer.json()) as Record<string, unknown>
  }
  const inAnHour = new Date(Date.now() + 3_600_000)
  const concert = await post('/v1/operator/concerts', operatorToken, {
    title: 'A concert nobody gets in to',
    artist: 'Bench Ensemble',
    venue: 'Bench Hall',
    saleOpensAt: new Date(0),
    saleClosesAt: inAnHour,
    queue: oneInside,
    shows: [{ startsAt: inAnHour, seats: [{ from: 1, to: 1, price: 1 }] }],
  })
  let place: Record<string, unknown> = {}
  while (place['status'] !== 'waiting') {
    const fan = await post('/v1/users', '', { name: 'fan' })
    place = await post(`/v1/concerts/${String(concert['concertId'])}/queue`, String(fan['accessToken']), {})
  }
  const answer = await fetch(`${url}/v1/queue`, { headers: { 'queue-token': String(place['token']) } })
  const named = ['content-type', 'cache-control', 'retry-after'].map((name) => [
    name,
    answer.headers.get(name) ?? '',
  ])
  return { headers: Object.fromEntries(named) as Record<string, string>, body: await answer.text() }
}

async function startBareRoute(answer: Bytes, core: number | undefined) {
  const args = [join(import.meta.dirname, 'bare-route.ts'), JSON.stringify(answer)]
  const child = startNode({ args, core, readsOutput: true })
  const [url] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  return { url, pid: child.pid!, [Symbol.asyncDispose]: () => stopChild(child) }
}
