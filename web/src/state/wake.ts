/** Moments after which what is shown may be old: the tab is looked at again, the network is back, the lid was opened. */
const moments: [EventTarget, string][] = [
  [document, 'visibilitychange'],
  [window, 'online'],
  [window, 'pageshow'],
]

export function isHidden(): boolean {
  return document.visibilityState === 'hidden'
}

/** Calls `listener` at such moments until `signal` aborts. */
export function onWake(listener: () => void, signal: AbortSignal): void {
  for (const [target, type] of moments) {
    target.addEventListener(type, () => !isHidden() && listener(), { signal })
  }
}

/** Rests until the time has passed, something wakes the page, or the signal aborts. */
export function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController()
    const end = () => {
      clearTimeout(timer)
      over.abort()
      resolve()
    }
    const timer = setTimeout(end, ms)
    if (signal.aborted) end()
    else {
      signal.addEventListener('abort', end, { signal: over.signal })
      onWake(end, over.signal)
    }
  })
}
