import { setTimeout as sleep } from 'node:timers/promises'

export type LoopOptions = {
  /** Does one batch; true when there may be more to do at once. */
  work: () => Promise<boolean>
  /** How long to rest when there is nothing to do; a function is asked each time. */
  restMs: number | (() => number)
  signal: AbortSignal
  /** Told of every failure; the loop rests longer after each one in a row, and goes on. */
  onError: (error: unknown, failures: number) => void
}

export type Loop = {
  /** Ends the current rest: there is work now. */
  wake: () => void
  /** Settles when the loop has ended, after its signal. */
  done: Promise<void>
}

const restAfterFailureMs = 200
const longestRestMs = 5_000

/**
 * The one shape of work in the background: a batch, again at once while there is work, then a rest, until the
 * signal aborts. A failure never ends it.
 */
export function startLoop({ work, restMs, signal, onError }: LoopOptions): Loop {
  let nap = new AbortController()
  let woken = false

  async function rest(ms: number): Promise<void> {
    nap = new AbortController()
    if (woken || signal.aborted) return
    await sleep(ms, undefined, { signal: AbortSignal.any([signal, nap.signal]) }).catch(() => {
      // Woken or stopped: either way the rest is over.
    })
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      woken = false
      try {
        const more = await work()
        failures = 0
        if (!more) await rest(typeof restMs === 'function' ? restMs() : restMs)
      } catch (error) {
        if (signal.aborted) return
        failures++
        onError(error, failures)
        await rest(Math.min(restAfterFailureMs * 2 ** (failures - 1), longestRestMs))
      }
    }
  }

  return {
    wake: () => {
      woken = true
      nap.abort()
    },
    done: run(),
  }
}
