import type { Launcher } from './drop-privileges.ts'
import type { Binaries } from './find-binaries.ts'

/** The role that owns everything in the embedded cluster. */
export const superuser = 'frontrow'

/** One folder's PostgreSQL and how to run it. */
export type Cluster = {
  /** Real path of the folder that everything embedded lives in. */
  home: string
  dataFolder: string
  binaries: Binaries
  launcher: Launcher
  password: string
  fsync: boolean
  onNotice: (message: string) => void
}

/** A running PostgreSQL server: its first process, whoever started it. */
export type Postmaster = {
  pid: number
  /** On 127.0.0.1. */
  port: number
  isRunning: () => Promise<boolean>
}
