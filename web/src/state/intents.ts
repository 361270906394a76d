import { call, type Answer, type CallName, type CallOptions } from '../api/client.ts'
import { isPassing, Refusal } from '../api/refusal.ts'
import { keep } from './storage.ts'
import { rest } from './wake.ts'

/** Something that the fan wants done once, and whose outcome is not known yet. */
export type Intent = { key: string; body: unknown; place?: string | undefined; since: number }

/** The service replays first answers for 24 hours; an intent older than that could do its thing a second time. */
const oldestMs = 23 * 3_600_000

const kept = keep<Record<string, Intent>>('intents', {})

/** Intents whose outcome is not known, by name: a reload finds them here and asks again. */
export function openIntents(prefix: string): [name: string, intent: Intent][] {
  return Object.entries(kept.signal.value).filter(
    ([name, { since }]) => name.startsWith(prefix) && Date.now() - since < oldestMs,
  )
}

function forget(name: string): void {
  const { [name]: _done, ...others } = kept.signal.value
  kept.set(others)
}

/** As `crypto.randomUUID`, which a page on plain HTTP does not have. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}

const running = new Map<string, Promise<unknown>>()

/** How long to wait before asking again whether it was done: 1 s, 2 s, 4 s, then every 5 s. */
const againMs = (attempt: number) => Math.min(1_000 * 2 ** attempt, 5_000)

/**
 * Has something done exactly once, however often it is asked for: a double tap, a reload, a second tab and a lost
 * answer all send the same key. The key is kept before the first sending and until the outcome is known.
 */
export function once<Name extends 'holdSeats' | 'payReservation' | 'chargeBalance'>(
  intentName: string,
  name: Name,
  options: CallOptions<Name>,
  onWaiting?: () => void,
): Promise<Answer<Name>> {
  const first = running.get(intentName) as Promise<Answer<Name>> | undefined
  if (first) return first
  const outcome = settle(intentName, name, options, onWaiting).finally(() => running.delete(intentName))
  running.set(intentName, outcome)
  return outcome
}

const callWith = call as <Name extends CallName>(name: Name, options: object) => Promise<Answer<Name>>

async function settle<Name extends CallName>(
  intentName: string,
  name: Name,
  options: CallOptions<Name>,
  onWaiting?: () => void,
): Promise<Answer<Name>> {
  const open = openIntents(intentName).find(([known]) => known === intentName)?.[1]
  const { body, place } = options as { body?: unknown; place?: string }
  const intent = open ?? { key: randomKey(), body, place, since: Date.now() }
  if (!open) kept.set({ ...kept.signal.value, [intentName]: intent })
  for (let attempt = 0; ; attempt++) {
    try {
      const answer = await callWith(name, { ...options, body: intent.body, key: intent.key })
      forget(intentName)
      return answer
    } catch (error) {
      if (!isPassing(error)) {
        forget(intentName)
        throw error
      }
      onWaiting?.()
      const asked = error instanceof Refusal ? error.retryAfterMs : undefined
      await rest(asked ?? againMs(attempt), new AbortController().signal)
    }
  }
}
