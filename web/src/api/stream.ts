import { send, type CallName } from './client.ts'
import { eventReader, type StreamEvent } from './event-reader.ts'
import { NoAnswer } from './refusal.ts'

/** The service says something at least every 15 s; after this long a connection is dead, whatever it claims. */
const silenceMs = 35_000
/** The first event comes at once; a proxy that keeps it back keeps back the rest as well. */
const firstMs = 6_000
const lookMs = 1_000

/**
 * Follows server-sent events of a call until the server ends them (then it returns) or the connection breaks (then
 * it throws). By `fetch`, because `EventSource` cannot send a token in a header.
 */
export async function followEvents(
  name: CallName,
  options: { params?: Record<string, string | number>; place?: string | undefined; signal: AbortSignal },
  onEvent: (event: StreamEvent) => void,
): Promise<void> {
  const gone = new AbortController()
  let heardAt = Date.now()
  let allowedMs = firstMs
  // By the wall clock: after a sleep the connection is as old as the sleep was long.
  const watchdog = setInterval(() => {
    if (Date.now() - heardAt > allowedMs) gone.abort()
  }, lookMs)
  addEventListener('offline', () => gone.abort(), { signal: gone.signal })
  try {
    const response = await send(name, options, AbortSignal.any([options.signal, gone.signal]))
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    const read = eventReader()
    if (!reader) return
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      heardAt = Date.now()
      allowedMs = silenceMs
      for (const event of read(value)) onEvent(event)
    }
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException)
      throw new NoAnswer(name, { cause: error })
    throw error
  } finally {
    clearInterval(watchdog)
    gone.abort()
  }
}
