import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { startLoadProcess } from '../load/load-process.ts'
import { startFleet } from '../service.ts'
import type { Scenario } from './scenario.ts'

const lookMs = 250

/** What the service's process holds in memory while a crowd waits and polls. */
export const memory: Scenario = async ({ isQuick, connections, say, signal }) => {
  const fans = isQuick ? 20_000 : 100_000
  const seconds = isQuick ? 5 : 15

  await using fleet = await startFleet()
  await using load = await startLoadProcess(signal)
  const { pid } = fleet.instances[0]!
  const started = await residentMb(pid)
  await load.run('connect', { url: fleet.urls[0]!, connections })
  say(`signing up ${fans} fans`)
  await load.run('signUp', { fans, balance: 0 })
  const signedUp = await residentMb(pid)
  say('joining')
  const { operatorToken } = fleet
  const joined = await load.run('join', { operatorToken, seats: 1_000, capacity: 1, ratePerSecond: 1 })
  const waiting = await residentMb(pid)
  say(`${joined.waiting} fans wait, and poll`)
  const seen: number[] = []
  const looking = setInterval(() => void residentMb(pid).then((mb) => seen.push(mb)), lookMs)
  const polled = await load.run('poll', { seconds })
  clearInterval(looking)
  const after = await residentMb(pid)

  return {
    name: 'memory',
    how: `${joined.waiting} fans wait for one place inside; they signed up and joined through the same process, then polled for ${seconds} s (${Math.round(polled.count / polled.seconds)} polls/s). Resident memory of the service's process.`,
    measures: [
      { name: 'after the start', unit: 'MB', values: [started] },
      { name: 'after the sign-ups', unit: 'MB', values: [signedUp] },
      { name: 'after the joins', unit: 'MB', values: [waiting], target: { atMost: 300 } },
      {
        name: 'highest while they poll',
        unit: 'MB',
        values: [Math.max(after, ...seen)],
        target: { atMost: 300 },
      },
      { name: 'join', unit: 'joins/s', values: [joined.count / joined.seconds] },
    ],
  }
}

const run = promisify(execFile)

/** `ps` is on every Unix, and says it in KiB. */
async function residentMb(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout) / 1024
}
