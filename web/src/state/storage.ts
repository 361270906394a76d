import { signal, type Signal } from '@preact/signals'

const prefix = 'frontrow:'

function read<Value>(name: string, empty: Value): Value {
  try {
    const text = localStorage.getItem(prefix + name)
    return text === null ? empty : (JSON.parse(text) as Value)
  } catch {
    // Storage that is turned off, or that somebody else wrote to: begin anew.
    return empty
  }
}

export type Kept<Value> = {
  signal: Signal<Value>
  /** Written before this returns, so that what is sent afterwards survives a reload. */
  set: (value: Value) => void
}

const kept = new Map<string, () => void>()

/** A value that survives reloads and is the same in every tab. */
export function keep<Value>(name: string, empty: Value): Kept<Value> {
  const value = signal(read(name, empty))
  kept.set(prefix + name, () => {
    value.value = read(name, empty)
  })
  return {
    signal: value,
    set(next) {
      try {
        localStorage.setItem(prefix + name, JSON.stringify(next))
      } catch {
        // Full or turned off: the page still works, until it is reloaded.
      }
      value.value = next
    },
  }
}

addEventListener('storage', ({ key }) => {
  if (key === null) for (const refresh of kept.values()) refresh()
  else kept.get(key)?.()
})
