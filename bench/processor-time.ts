import { readdirSync, readFileSync } from 'node:fs'

/** Processor time that the parts of a run have used so far, in seconds. */
export type ProcessorTime = {
  service: number
  postgres: number
  load: number
  /** All cores together, whoever kept them busy; and how long that could have been. */
  machine: number
  machineMost: number
}

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
    const sum = (isPart: (stat: Stat) => boolean, ticksOf: (stat: Stat) => number) =>
      stats.filter(isPart).reduce((total, stat) => total + ticksOf(stat), 0) / ticksPerSecond
    return {
      service: sum(
        ({ pid }) => pid === pids.service,
        ({ ticks }) => ticks,
      ),
      postgres: sum(
        ({ pid, parent }) => pid === pids.postgres || parent === pids.postgres,
        // A connection that was closed meanwhile is in its first process's account.
        ({ pid, ticks, ticksWithEnded }) => (pid === pids.postgres ? ticksWithEnded : ticks),
      ),
      load: sum(
        ({ pid }) => pid === pids.load,
        ({ ticks }) => ticks,
      ),
      ...readMachineTime(),
    }
  } catch {
    return undefined
  }
}

type Stat = {
  pid: number
  parent: number
  ticks: number
  /** With what its ended children had used. */
  ticksWithEnded: number
}

function readStat(pid: number): Stat[] {
  try {
    // The second field is the program's name in brackets, which may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15).map(Number)
    const ticks = user + system
    return [{ pid, parent: Number(fields[1]), ticks, ticksWithEnded: ticks + endedUser + endedSystem }]
  } catch {
    // It ended since it was listed.
    return []
  }
}

function readMachineTime(): { machine: number; machineMost: number } {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n')
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, ...interrupts] = line
    .split(/ +/)
    .slice(1, 9)
    .map(Number)
  const busy = interrupts.reduce((total, ticks) => total + ticks, user + nice + system)
  return { machine: busy / ticksPerSecond, machineMost: (busy + idle + waiting) / ticksPerSecond }
}

export type Cost = {
  /** What each unit of work took of the processor, in microseconds. */
  service: number
  postgres: number
  load: number
  /** Share of the whole machine that processes which are no part of the run took meanwhile, in percent. */
  othersPercent: number
}

/** What `units` of work took between two readings. */
export function costOf(before: ProcessorTime, after: ProcessorTime, units: number): Cost {
  const used = (part: keyof ProcessorTime): number => after[part] - before[part]
  const micros = (part: keyof ProcessorTime): number => Math.round((used(part) * 1e7) / units) / 10
  const others = used('machine') - used('service') - used('postgres') - used('load')
  return {
    service: micros('service'),
    postgres: micros('postgres'),
    load: micros('load'),
    othersPercent: Math.max(0, Math.round((others / used('machineMost')) * 100)),
  }
}
