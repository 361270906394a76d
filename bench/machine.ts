import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus, loadavg, platform, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { median } from './statistics.ts'

export type Machine = {
  processor: string
  cores: number
  memoryGb: number
  system: string
  node: string
  /** One write to the disk made sure of, where the bench keeps its PostgreSQL: what every commit costs at least. */
  syncMs: number
  /** Processes that others kept busy when the bench began. */
  loadBefore: number
}

export function readMachine(): Machine {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    syncMs: measureSync(),
    loadBefore: round(loadavg()[0] ?? 0),
  }
}

/** Writes one page of PostgreSQL's and waits for the disk, some times; the median in milliseconds. */
function measureSync(): number {
  const path = join(tmpdir(), `frontrow-sync-${process.pid}`)
  const file = openSync(path, 'w')
  try {
    const page = Buffer.alloc(8192)
    const times = Array.from({ length: 200 }, () => {
      const started = performance.now()
      writeSync(file, page)
      fdatasyncSync(file)
      return performance.now() - started
    })
    return round(median(times))
  } finally {
    closeSync(file)
    rmSync(path)
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
