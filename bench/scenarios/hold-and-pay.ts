import { setTimeout as sleep } from 'node:timers/promises'
import { startLoadProcess, type LoadProcess } from '../load/load-process.ts'
import type { HoldAndPayResult } from '../load/tasks.ts'
import { costOf, readProcessorTime, type Cost } from '../processor-time.ts'
import { watchFleet } from '../profile.ts'
import { onDatabase, startFleet, type Fleet } from '../service.ts'
import type { Measure, Scenario, ScenarioOptions } from './scenario.ts'

/** Far more than anyone pays here. */
const balance = 10_000_000
const relayWithinMs = 120_000
const relayLookMs = 50

type Round = HoldAndPayResult & {
  joinsPerSecond: number
  cost: Cost | undefined
  eventsBehind: number
}

/**
 * Fans who are inside each hold a seat and pay it, over and over with a new concert per round. Only pairs of a hold
 * and its payment that were both answered 201 count.
 */
export const holdAndPay: Scenario = async (options) => {
  const { isQuick, connections, keyed, profiled, say, signal } = options
  const plan = isQuick ? { fans: 8_000, seconds: 3, rounds: 3 } : { fans: 30_000, seconds: 6, rounds: 5 }
  const rounds = options.rounds ?? plan.rounds

  await using fleet = await startFleet({ watched: profiled })
  await using load = await startLoadProcess(signal)
  await load.run('connect', { url: fleet.urls[0]!, connections })
  say(`signing up and charging ${plan.fans} fans`)
  const signedUp = await load.run('signUp', { fans: plan.fans, balance })

  const play = async (label: string): Promise<Round> => {
    const round = await playRound(fleet, load, plan, options)
    say(`${label}: ${Math.round(round.count / round.seconds)} pairs/s`)
    return round
  }
  await play('warming up')
  const watch = profiled ? await watchFleet(fleet) : undefined
  const played: Round[] = []
  for (let round = 1; round <= rounds; round++) played.push(await play(`round ${round} of ${rounds}`))
  const profile = await watch?.finish()

  const seatsSold = await checkSale(fleet)
  return {
    name: 'hold-pay',
    how: `${connections} connections, one seat per fan, Idempotency-Key ${keyed ? 'on both' : 'on neither'}, a new concert of ${plan.fans} seats per round of at most ${plan.seconds} s, after one round to warm up; PostgreSQL with fsync on, and the load on the same cores. ${seatsSold} seats sold, every invariant held.`,
    measures: measure(played, signedUp.count / signedUp.seconds),
    ...(profile ? { profile } : {}),
  }
}

async function playRound(
  fleet: Fleet,
  load: LoadProcess,
  plan: { fans: number; seconds: number },
  { keyed }: ScenarioOptions,
): Promise<Round> {
  const { operatorToken } = fleet
  const everyone = { capacity: 1_000_000, ratePerSecond: 1_000_000 }
  const joined = await load.run('join', { operatorToken, seats: plan.fans, ...everyone })
  if (joined.waiting > 0) throw new Error(`${joined.waiting} of ${plan.fans} fans were not let in`)
  await untilRelayed(fleet)
  const pids = { service: fleet.instances[0]!.pid, postgres: fleet.postgresPid, load: load.pid }
  const before = readProcessorTime(pids)
  const result = await load.run('holdAndPay', { secondsMax: plan.seconds, keyed })
  const after = readProcessorTime(pids)
  const eventsBehind = await countUnpublished(fleet)
  const refusals = Object.entries(result.refused)
  if (refusals.length > 0)
    throw new Error(`refused: ${refusals.map(([code, times]) => `${code} ×${times}`).join(', ')}`)
  const cost = before && after && costOf(before, after, result.count)
  return { ...result, joinsPerSecond: joined.count / joined.seconds, cost, eventsBehind }
}

/** What one round left to the relay must not slow the next one down. */
async function untilRelayed(fleet: Fleet): Promise<void> {
  const end = performance.now() + relayWithinMs
  while ((await countUnpublished(fleet)) > 0) {
    if (performance.now() > end) throw new Error(`events were not published within ${relayWithinMs} ms`)
    await sleep(relayLookMs)
  }
}

async function countUnpublished({ databaseUrl }: Fleet): Promise<number> {
  const statement = 'select count(*)::int as count from outbox where published_at is null'
  const [row] = await onDatabase<{ count: number }>(databaseUrl, statement)
  return row?.count ?? 0
}

/** A fast run that broke a promise is not a result. */
async function checkSale(fleet: Fleet): Promise<number> {
  await untilRelayed(fleet)
  const answer = await fetch(`${fleet.urls[0]}/v1/operator/invariants`, {
    headers: { authorization: `Bearer ${fleet.operatorToken}` },
  })
  const { hold, invariants } = (await answer.json()) as {
    hold?: boolean
    invariants?: { name: string; holds: boolean }[]
  }
  if (!hold) {
    const broken = invariants?.filter(({ holds }) => !holds).map(({ name }) => name)
    throw new Error(`the invariants do not hold: ${broken?.join('; ') ?? answer.status}`)
  }
  const [row] = await onDatabase<{ sold: number }>(
    fleet.databaseUrl,
    'select count(*)::int as sold from seats where sold_at is not null',
  )
  return row?.sold ?? 0
}

function measure(rounds: Round[], signUpsPerSecond: number): Measure[] {
  const each = (value: (round: Round) => number): number[] => rounds.map(value)
  const costs = rounds.flatMap(({ cost }) => cost ?? [])
  const cost = (part: keyof Cost) => costs.map((round) => round[part])
  return [
    {
      name: 'hold + pay',
      unit: 'pairs/s',
      values: each(({ count, seconds }) => count / seconds),
      target: { atLeast: 5_000 },
    },
    { name: 'hold p50', unit: 'ms', values: each(({ holdMs }) => holdMs.p50) },
    { name: 'hold p99', unit: 'ms', values: each(({ holdMs }) => holdMs.p99) },
    { name: 'pay p50', unit: 'ms', values: each(({ payMs }) => payMs.p50) },
    { name: 'pay p99', unit: 'ms', values: each(({ payMs }) => payMs.p99) },
    { name: 'processor: service', unit: 'µs/pair', values: cost('service') },
    { name: 'processor: PostgreSQL', unit: 'µs/pair', values: cost('postgres') },
    { name: 'processor: load', unit: 'µs/pair', values: cost('load') },
    { name: 'processor: others', unit: '% of it', values: cost('othersPercent') },
    { name: 'events behind at the end', unit: 'events', values: each(({ eventsBehind }) => eventsBehind) },
    { name: 'join', unit: 'joins/s', values: each(({ joinsPerSecond }) => joinsPerSecond) },
    { name: 'sign up + charge', unit: 'fans/s', values: [signUpsPerSecond] },
  ]
}
