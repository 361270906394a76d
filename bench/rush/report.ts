import { table } from '../results.ts'
import { spreadOf, type Spread } from '../statistics.ts'
import type { Check } from './check.ts'
import type { RushOptions } from './options.ts'
import { endings, type Ending, type Tally } from './tally.ts'

export type Rush = {
  options: RushOptions
  service: string
  seats: number
  seconds: number
  /** Why it ended before every fan was gone. */
  stoppedBy: string | undefined
  tally: Tally
  checks: Check[]
}

/** What went wrong, in sentences; empty when the service kept every promise. */
export function faultsOf({ tally, checks }: Rush): string[] {
  const serverErrors = [...tally.serverErrors].map(([what, times]) => `${what} ×${times}`)
  return [
    ...checks.filter(({ holds }) => !holds).map(({ name, detail }) => `Broken: ${name} (${detail})`),
    ...(serverErrors.length > 0 ? [`Errors of the service: ${serverErrors.join(', ')}`] : []),
  ]
}

/** Everything there is to know after a rush, for whoever ran it. */
export function describeRush(rush: Rush): string {
  const { options, service, seats, seconds, stoppedBy, tally, checks } = rush
  const faults = faultsOf(rush)
  const total = (counts: Map<string, number>) => [...counts.values()].reduce((sum, times) => sum + times, 0)
  return [
    '',
    `${number(options.fans)} fans for ${number(seats)} seats in ${seconds.toFixed(1)} s, ${options.capacity} inside at once, ${options.ratePerSecond} let in per second, on ${service}.`,
    ...(stoppedBy ? [`It ended early: ${stoppedBy}.`] : []),
    '',
    `Seats sold   ${number(tally.seatsSold)} of ${number(seats)}, in ${number(tally.purchases.size)} payments`,
    '',
    'Fans',
    indented(
      (Object.keys(endings) as Ending[])
        .filter((ending) => tally.endings.has(ending))
        .map((ending) => [endings[ending], number(tally.endings.get(ending)!)]),
    ),
    ...(tally.missedTurns > 0
      ? [`  ${number(tally.missedTurns)} turns came and went unseen; those fans joined again`]
      : []),
    '',
    'Waiting for one’s turn, of those who got in',
    indented([
      ['', 'p50', 'p95', 'p99', 'max'],
      ['seconds', ...spread(spreadOf(tally.waitSeconds), 1)],
    ]),
    '',
    'Calls, milliseconds',
    indented([
      ['', 'answers', 'p50', 'p95', 'p99', 'max'],
      ...[...tally.callMs].map(([call, times]) => [
        call,
        number(times.length),
        ...spread(spreadOf(times), 1),
      ]),
    ]),
    '',
    'Refusals',
    indented(listed(tally.refusals)),
    '',
    'Requests',
    indented([
      ['answered', number(tally.requests)],
      ['per second', number(tally.requests / seconds)],
      ['errors of the service (5xx)', number(total(tally.serverErrors))],
      ['connections lost', number(total(tally.connectionErrors))],
      ['connections cut by the rush', number(tally.cuts)],
      ...listed(tally.connectionErrors).filter(([what]) => what !== 'none'),
    ]),
    '',
    'Promises',
    ...checks.map(
      ({ name, holds, detail }) => `  ${holds ? 'kept  ' : 'BROKEN'}  ${name}${detail ? ` (${detail})` : ''}`,
    ),
    '',
    faults.length === 0 ? 'Every promise was kept.' : faults.join('\n'),
    '',
  ].join('\n')
}

function listed(counts: Map<string, number>): string[][] {
  if (counts.size === 0) return [['none', '']]
  return [...counts].toSorted((a, b) => b[1] - a[1]).map(([what, times]) => [what, number(times)])
}

function spread({ p50, p95, p99, max }: Spread, digits: number): string[] {
  return [p50, p95, p99, max].map((value) => (Number.isNaN(value) ? '–' : value.toFixed(digits)))
}

const indented = (rows: string[][]): string =>
  table(rows)
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')

const number = (value: number): string => Math.round(value).toLocaleString('en')
