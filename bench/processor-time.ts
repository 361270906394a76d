import { readdirSync, readFileSync } from 'node:fs'

/** Processor time that the parts of a run have used so far, in seconds. */
export type ProcessorTime = { service: number; postgres: number; load: number }

/** Linux counts in hundredths of a second, whatever the processor. */
const ticksPerSecond = 100

/** Undefined where the system does not tell (anything but Linux). */
export function readProcessorTime(pids: {
  service: number
  postgres: number
  load: number
}): ProcessorTime | undefined {
  try {
    const stats = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readStat(Number(name)))
    const timeOf = (isPart: (stat: Stat) => boolean) =>
      stats.filter(isPart).reduce((total, { ticks }) => total + ticks, 0) / ticksPerSecond
    return {
      service: timeOf(({ pid }) => pid === pids.service),
      postgres: timeOf(({ pid, parent }) => pid === pids.postgres || parent === pids.postgres),
      load: timeOf(({ pid }) => pid === pids.load),
    }
  } catch {
    return undefined
  }
}

type Stat = { pid: number; parent: number; ticks: number }

function readStat(pid: number): Stat[] {
  try {
    // The second field is the program's name in brackets, which may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')
    return [{ pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }]
  } catch {
    // It ended since it was listed.
    return []
  }
}

/** What each unit of work took of the processor, in microseconds. */
export function perUnit(before: ProcessorTime, after: ProcessorTime, units: number): ProcessorTime {
  const share = (part: keyof ProcessorTime) => Math.round(((after[part] - before[part]) * 1e6) / units)
  return { service: share('service'), postgres: share('postgres'), load: share('load') }
}
