import type { ConcertFacts } from '../concerts/concert.ts'
import { startLoop, type Loop } from '../platform/loop.ts'
import type { QueueStore } from './queue-store.ts'
import type { LineWatch } from './watch-lines.ts'

/** Four steps a second: a free place waits an eighth of a second on average. */
const stepMs = 250

/**
 * Lets fans in, a few times a second, in every line that may move. Any instance runs it; several at once are safe.
 * A line that is paused, sold out or closed only has its finished sessions ended.
 */
export function runAdmission(options: {
  store: QueueStore
  readRunningSales: () => Promise<ConcertFacts[]>
  watch: LineWatch
  signal: AbortSignal
  onError: (error: unknown, failures: number) => void
}): Loop {
  const { store, readRunningSales, watch, signal, onError } = options
  return startLoop({
    restMs: stepMs,
    signal,
    onError,
    work: async () => {
      const sales = await readRunningSales()
      if (sales.length === 0) return false
      const steps = await store.admit(
        sales.map(({ concertId, capacity, ratePerSecond, paused, soldOut }) => ({
          concertId,
          capacity: paused || soldOut ? 0 : capacity,
          ratePerSecond,
        })),
      )
      for (const step of steps) watch.noteCounters(step)
      return false
    },
  })
}
