import { signal } from '@preact/signals'

/**
 * How far the server's clock is ahead of this device's, in ms, as an interval that every answer narrows: its `Date`
 * is cut to seconds and was written between sending and receiving. Deadlines are the server's, whatever a phone
 * believes the time is.
 */
let earliest = -Infinity
let latest = Infinity

export function noteServerDate(date: string | null, sentAt: number, receivedAt: number): void {
  const cut = date === null ? Number.NaN : Date.parse(date)
  if (Number.isNaN(cut)) return
  const from = cut - receivedAt
  const to = cut + 1_000 - sentAt
  // The device's clock was set meanwhile: what was known no longer holds.
  if (from > latest || to < earliest) {
    earliest = from
    latest = to
    return
  }
  earliest = Math.max(earliest, from)
  latest = Math.min(latest, to)
}

/** The server's time now, in ms; this device's before anything was heard. */
export function serverNow(): number {
  return Number.isFinite(earliest) ? Date.now() + (earliest + latest) / 2 : Date.now()
}

let timer: ReturnType<typeof setInterval> | undefined

/** The server's time, told a few times a second while something shown depends on it. */
export const now = signal(Date.now(), {
  watched() {
    now.value = serverNow()
    timer = setInterval(() => (now.value = serverNow()), 250)
  },
  unwatched() {
    clearInterval(timer)
  },
})

/** Whole seconds until a moment, the nearest; none only when it has come. */
export function secondsUntil(moment: string | number, from: number): number {
  const left = new Date(moment).getTime() - from
  return left <= 0 ? 0 : Math.max(1, Math.round(left / 1_000))
}
