import { setImmediate as nextTurn } from 'node:timers/promises'
import { httpProblem } from './http/problem.ts'

/** An outcome that says: this request could not be decided beside the others; ask again in the next batch. */
export const again = Symbol('again')

type Entry<Request, Outcome> = {
  request: Request
  lane: string | undefined
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

export type BatchOptions<Request, Outcome> = {
  /** Settles all requests at once, one outcome each, in order. */
  run: (requests: Request[]) => Promise<(Outcome | typeof again)[]>
  /** Requests of one lane never share a batch; they are settled one after the other, in arrival order. */
  lane?: (request: Request) => string
  /** The most requests in one batch. */
  max: number
  /** The most requests waiting; one more is refused with `unavailable`. */
  maxQueued: number
  /** Whether a failed run had no effect and may be run again as it is (a lost race, a deadlock). */
  isRetryable: (error: unknown) => boolean
  /** Whether a failure says nothing of the requests themselves, so that running them singly would not help. */
  isUnavailable: (error: unknown) => boolean
  onRun?: (size: number) => void
}

/** Lost races in a row before a batch is taken apart: each one is another instance's success. */
const attemptsTogether = 5
/** Lost races in a row before a request alone fails: one fan through many instances loses this often to himself. */
const attemptsAlone = 20

/**
 * Group commit: while one run is in flight, requests that arrive form the next one. There is no timer, so an idle
 * service runs each request alone at once, and a busy one does more per commit as load grows.
 *
 * Returns the function that submits one request. It rejects with what `run` threw for it; a batch that fails is
 * run again one request at a time, so that only the one at fault sees the error.
 */
export function batch<Request, Outcome>(options: BatchOptions<Request, Outcome>) {
  const { run, lane, max, maxQueued, isRetryable, isUnavailable, onRun } = options
  let ready: Entry<Request, Outcome>[] = []
  const lanes = new Map<string, Entry<Request, Outcome>[]>()
  let queued = 0
  let running = false

  async function runRetried(requests: Request[], attempts: number): Promise<(Outcome | typeof again)[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        onRun?.(requests.length)
        return await run(requests)
      } catch (error) {
        if (attempt >= attempts || !isRetryable(error)) throw error
      }
    }
  }

  function settle(entry: Entry<Request, Outcome>): void {
    queued--
    if (entry.lane === undefined) return
    const next = lanes.get(entry.lane)?.shift()
    if (next) ready.push(next)
    else lanes.delete(entry.lane)
  }

  function refuse(entries: Entry<Request, Outcome>[], error: unknown): void {
    for (const entry of entries) {
      settle(entry)
      entry.reject(error)
    }
  }

  async function runEntries(entries: Entry<Request, Outcome>[]): Promise<void> {
    let outcomes: (Outcome | typeof again)[]
    try {
      outcomes = await runRetried(
        entries.map((entry) => entry.request),
        entries.length === 1 ? attemptsAlone : attemptsTogether,
      )
    } catch (error) {
      if (entries.length === 1 || isUnavailable(error)) return refuse(entries, error)
      for (const entry of entries) await runEntries([entry])
      return
    }
    if (outcomes.length !== entries.length) {
      // It has run, so it must not run again.
      return refuse(entries, new Error(`a batch of ${entries.length} came back as ${outcomes.length}`))
    }
    const unsettled: Entry<Request, Outcome>[] = []
    entries.forEach((entry, index) => {
      const outcome = outcomes[index] as Outcome | typeof again
      if (outcome === again) {
        unsettled.push(entry)
      } else {
        settle(entry)
        entry.resolve(outcome)
      }
    })
    if (unsettled.length > 0) ready = [...unsettled, ...ready]
  }

  async function drain(): Promise<void> {
    running = true
    while (ready.length > 0) {
      // One turn of the event loop: requests that have arrived and were not read yet belong to this batch.
      await nextTurn()
      await runEntries(ready.splice(0, max))
    }
    running = false
  }

  return (request: Request): Promise<Outcome> => {
    if (queued >= maxQueued) return Promise.reject(httpProblem('unavailable', undefined, 1))
    queued++
    return new Promise<Outcome>((resolve, reject) => {
      const entry: Entry<Request, Outcome> = { request, lane: lane?.(request), resolve, reject }
      if (entry.lane !== undefined) {
        const behind = lanes.get(entry.lane)
        if (behind) {
          behind.push(entry)
          return
        }
        lanes.set(entry.lane, [])
      }
      ready.push(entry)
      if (!running) void drain()
    })
  }
}
