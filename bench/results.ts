import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine } from './machine.ts'
import type { Profile } from './profile.ts'
import { median } from './statistics.ts'
import type { Measure, ScenarioResult } from './scenarios/scenario.ts'

const folder = join(import.meta.dirname, 'results')

/** Keeps what was measured, where and when in `results/latest.json`, and profiles beside it. Answers the path. */
export async function keepResults(
  machine: Machine,
  isQuick: boolean,
  results: ScenarioResult[],
): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const { name, profile } of results) {
    if (profile) await writeFile(join(folder, `${name}.cpuprofile`), JSON.stringify(profile.cpuProfile))
  }
  const path = join(folder, 'latest.json')
  const scenarios = results.map(({ name, how, measures }) => ({
    name,
    how,
    measures: measures.map((measure) => ({ ...measure, median: median(measure.values) })),
  }))
  const kept = { measuredAt: new Date().toISOString(), isQuick, machine, scenarios }
  await writeFile(path, `${JSON.stringify(kept, roundNumbers, 2)}\n`)
  return path
}

const round = (value: number): number => Math.round(value * 100) / 100
const roundNumbers = (_key: string, value: unknown): unknown =>
  typeof value === 'number' ? round(value) : value

export function describeMachine(machine: Machine): string {
  const { processor, cores, memoryGb, system, node, syncMs, loadBefore } = machine
  const busy =
    loadBefore > cores / 4 ? `\nOthers keep this machine busy (load ${loadBefore}): expect less.` : ''
  return `${processor}, ${cores} cores, ${memoryGb} GB, ${system}, Node ${node}, ${syncMs} ms per write made sure of${busy}`
}

/** A table of a scenario's measures: the median, and from the lowest to the highest of its rounds. */
export function describeResult({ name, how, measures, profile }: ScenarioResult): string {
  const rows = measures
    .filter(({ values }) => values.length > 0)
    .map((measure) => [
      measure.name,
      number(median(measure.values)),
      range(measure.values),
      measure.unit,
      verdict(measure),
    ])
  return [
    `\n${name}: ${how}`,
    '',
    table([['', 'median', 'range', '', 'target'], ...rows]),
    ...describeProfile(profile),
  ].join('\n')
}

function range(values: number[]): string {
  return values.length > 1 ? `${number(Math.min(...values))} – ${number(Math.max(...values))}` : ''
}

function verdict({ values, target }: Measure): string {
  if (!target) return ''
  const value = median(values)
  return 'atLeast' in target
    ? `${value >= target.atLeast ? 'met' : 'MISSED'}: at least ${number(target.atLeast)}`
    : `${value <= target.atMost ? 'met' : 'MISSED'}: at most ${number(target.atMost)}`
}

const number = (value: number): string =>
  value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 })

function describeProfile(profile: Profile | undefined): string[] {
  if (!profile) return []
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
  const shares = (list: { name: string; share: number }[]) =>
    table(list.map(({ name, share }) => [name, percent(share)]))
  return [
    `\nThe process was busy for ${percent(profile.busy)} of the time. Of that, by part:`,
    shares(profile.parts.slice(0, 20)),
    '\nand by function:',
    shares(profile.functions),
    '\nStatements:',
    table([
      ['', 'calls', 'rows/call', 'total ms', 'mean ms', 'max ms', 'WAL kB'],
      ...profile.statements.map(({ name, calls, rowsPerCall, totalMs, meanMs, maxMs, walKb }) => [
        name,
        ...[calls, rowsPerCall, totalMs].map(number),
        ...[meanMs, maxMs].map((ms) => ms.toFixed(2)),
        number(walKb),
      ]),
    ]),
  ]
}

/** Columns under each other: text to the left, the rest to the right. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
