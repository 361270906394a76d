import type { Profile } from '../profile.ts'

export type ScenarioOptions = {
  isQuick: boolean
  rounds: number | undefined
  connections: number
  /** Whether holds and payments carry an Idempotency-Key. */
  keyed: boolean
  /** Whether to look into the service and PostgreSQL while they work; that costs them some of their speed. */
  profiled: boolean
  /** Tells whoever watches what is going on. */
  say: (message: string) => void
  /** Ends the run before its time: what it started is stopped, and it rejects. */
  signal: AbortSignal
}

/** One thing that was measured, once per round. */
export type Measure = {
  name: string
  unit: string
  values: number[]
  target?: { atLeast: number } | { atMost: number }
}

export type ScenarioResult = {
  name: string
  /** What exactly was done, so that the numbers mean something. */
  how: string
  measures: Measure[]
  profile?: Profile
}

export type Scenario = (options: ScenarioOptions) => Promise<ScenarioResult>
