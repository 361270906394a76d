import { signal, type Signal } from '@preact/signals'
import { callIfChanged } from '../api/client.ts'
import { isPassing, Refusal } from '../api/refusal.ts'
import { followEvents } from '../api/stream.ts'
import type { Seat } from './nearby-seats.ts'
import { askPlace, placeOf } from './places.ts'
import { isHidden, rest } from './wake.ts'

export type SeatMap = {
  seats: Signal<Seat[] | undefined>
  /** Whether changes arrive by themselves. */
  isLive: Signal<boolean>
  /** Why there is no map. */
  refusal: Signal<unknown>
  /** Marks seats as taken before the next look: the service has just said so. */
  noteTaken: (numbers: number[]) => void
  stop: () => void
}

/** Without a stream the map is asked for this often while somebody looks at it, which costs a 304. */
const pollMs = 1_000
const retryMs = 2_000
const withoutStreamMs = 20_000

/** Keeps the seat map of a show fresh until stopped. A hidden tab asks for nothing. */
export function followSeats(concertId: number, showId: number): SeatMap {
  const stopping = new AbortController()
  const seats = signal<Seat[] | undefined>(undefined)
  const isLive = signal(false)
  const refusal = signal<unknown>(undefined)
  let etag: string | undefined

  function apply(changed: Seat[]): void {
    const byNumber = new Map(changed.map((seat) => [seat.number, seat]))
    seats.value = seats.value?.map((seat) => byNumber.get(seat.number) ?? seat)
  }

  async function stream(): Promise<void> {
    const over = new AbortController()
    const both = AbortSignal.any([stopping.signal, over.signal])
    document.addEventListener('visibilitychange', () => isHidden() && over.abort(), { signal: both })
    try {
      const options = { params: { showId }, place: placeOf(concertId)?.token, signal: both }
      await followEvents('watchSeats', options, ({ name, data }) => {
        const told = (data as { seats: Seat[] }).seats
        if (name === 'seats') seats.value = told
        else apply(told)
        isLive.value = true
      })
    } catch (error) {
      if (!both.aborted) throw error
    } finally {
      isLive.value = false
      // What the stream has changed is not what that tag stood for.
      etag = undefined
    }
  }

  async function poll(): Promise<void> {
    const { signal } = stopping
    const found = await callIfChanged('readSeats', {
      params: { showId },
      place: placeOf(concertId)?.token,
      etag,
      signal,
    })
    isLive.value = true
    if (!found) return
    seats.value = found.answer.seats
    etag = found.etag
  }

  async function follow(): Promise<void> {
    let streamAgainAt = 0
    while (!stopping.signal.aborted) {
      if (isHidden()) {
        await rest(60_000, stopping.signal)
        continue
      }
      try {
        if (Date.now() > streamAgainAt) {
          await stream()
        } else {
          await poll()
          await rest(pollMs, stopping.signal)
        }
      } catch (error) {
        if (stopping.signal.aborted) return
        isLive.value = false
        if (error instanceof Refusal && !isPassing(error)) {
          refusal.value = error
          await askPlace(concertId).catch(() => {})
          return
        }
        if (Date.now() > streamAgainAt) streamAgainAt = Date.now() + withoutStreamMs
        else await rest(retryMs, stopping.signal)
      }
    }
  }

  void follow()
  return {
    seats,
    isLive,
    refusal,
    noteTaken: (numbers) => {
      const taken = new Set(numbers)
      seats.value = seats.value?.map((seat) =>
        taken.has(seat.number) && seat.state === 'available' ? { ...seat, state: 'held' } : seat,
      )
    },
    stop: () => stopping.abort(),
  }
}
