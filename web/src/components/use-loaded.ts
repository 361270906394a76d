import { useEffect, useState } from 'preact/hooks'
import { isPassing } from '../api/refusal.ts'
import { isHidden, rest } from '../state/wake.ts'

export type Loaded<Value> = { value: Value | undefined; error: unknown; reload: () => void }

const againMs = 3_000

/**
 * Loads what a page shows, anew whenever `key` changes. What fails for now (no network, a busy service) is tried
 * again by itself; what is shown meanwhile stays. With `everyMs` it is loaded again that often while it is looked at.
 */
export function useLoaded<Value>(
  key: string,
  load: (signal: AbortSignal) => Promise<Value>,
  everyMs?: number,
): Loaded<Value> {
  const [state, setState] = useState<{ key: string; value?: Value; error?: unknown }>({ key })
  const [round, setRound] = useState(0)

  useEffect(() => {
    const stop = new AbortController()
    const { signal } = stop
    async function run(): Promise<void> {
      while (!signal.aborted) {
        try {
          const value = await load(signal)
          if (!signal.aborted) setState({ key, value })
          if (everyMs === undefined) return
          // Nobody looks at a hidden tab; coming back to it ends the rest.
          do await rest(everyMs, signal)
          while (isHidden() && !signal.aborted)
        } catch (error) {
          if (signal.aborted) return
          setState((before) => ({ ...(before.key === key ? before : { key }), error }))
          if (!isPassing(error)) return
          await rest(againMs, signal)
        }
      }
    }
    void run()
    return () => stop.abort()
  }, [key, round])

  const isCurrent = state.key === key
  return {
    value: isCurrent ? state.value : undefined,
    error: isCurrent ? state.error : undefined,
    reload: () => setRound((count) => count + 1),
  }
}
