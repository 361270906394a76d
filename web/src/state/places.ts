import { computed, signal } from '@preact/signals'
import { call, type Answer } from '../api/client.ts'
import { Refusal } from '../api/refusal.ts'
import { followEvents } from '../api/stream.ts'
import { keep } from './storage.ts'
import { isHidden, onWake, rest } from './wake.ts'

/** A place in the line of a concert, as this browser keeps it. */
export type Place = {
  concertId: number
  token: string
  number: number
  /** Fans ahead when the place was given: where progress starts. */
  firstAhead: number
  title: string
  userId: string
}

export type PlaceState = Answer<'readPlace'>
export type EndReason = NonNullable<PlaceState['reason']>

const kept = keep<Record<string, Place>>('places', {})
const states = signal<Record<string, PlaceState>>({})

/** A hidden tab asks for what nobody looks at only this often. */
const hiddenPollMs = 30_000
const retryMs = 2_000
/** After a stream broke, asking will do for this long. */
const withoutStreamMs = 20_000

export const places = computed(() => Object.values(kept.signal.value))

export function placeOf(concertId: number): Place | undefined {
  return kept.signal.value[concertId]
}

/** What the service last said of the place; undefined before it said anything. */
export function stateOf(concertId: number): PlaceState | undefined {
  return states.value[concertId]
}

function note(place: Place, state: PlaceState): void {
  // Another tab may have joined anew meanwhile: what is heard of the former place is no news.
  if (placeOf(place.concertId)?.token !== place.token) return
  states.value = { ...states.value, [place.concertId]: state }
}

/** Takes the next number, or finds the place that the fan already has. */
export async function joinLine(concertId: number, title: string, userId: string): Promise<PlaceState> {
  const { token, ...state } = await call('joinQueue', { params: { concertId }, body: {} })
  const known = placeOf(concertId)
  const firstAhead = known?.token === token || known?.number === state.number ? known.firstAhead : state.ahead
  const place: Place = { concertId, token, number: state.number, firstAhead, title, userId }
  kept.set({ ...kept.signal.value, [concertId]: place })
  note(place, state)
  return state
}

/** Gives the place up, so that the next fan gets in sooner. */
export async function leaveLine(concertId: number): Promise<void> {
  const place = placeOf(concertId)
  if (!place) return
  forgetPlace(concertId)
  await call('leaveQueue', { place: place.token })
}

/** Drops what is kept of a place: it has ended, and the fan knows. */
export function forgetPlace(concertId: number): void {
  const { [concertId]: _gone, ...others } = kept.signal.value
  kept.set(others)
  const { [concertId]: _state, ...otherStates } = states.value
  states.value = otherStates
}

export function forgetPlaces(): void {
  kept.set({})
  states.value = {}
}

/** Asks once, now. */
export async function askPlace(concertId: number): Promise<void> {
  const place = placeOf(concertId)
  if (place) await ask(place, new AbortController().signal)
}

async function ask(place: Place, signal: AbortSignal): Promise<void> {
  try {
    note(place, await call('readPlace', { place: place.token, signal }))
  } catch (error) {
    // Forged or from before the service was set up anew: it is no place.
    if (error instanceof Refusal && error.code === 'queue-token-invalid') forgetPlace(place.concertId)
    else throw error
  }
}

/**
 * Keeps the state of a place fresh until the returned function is called: by server-sent events while the fan
 * waits, also in a hidden tab, where they cost nothing and claim the place when its turn comes; by asking at the
 * service's pace otherwise. Of several tabs one holds the stream, because browsers open six connections at most.
 */
export function followPlace(concertId: number): () => void {
  const stop = new AbortController()
  void follow(concertId, stop.signal)
  return () => stop.abort()
}

async function follow(concertId: number, signal: AbortSignal): Promise<void> {
  let streamAgainAt = 0
  while (!signal.aborted) {
    const place = placeOf(concertId)
    const state = stateOf(concertId)
    if (!place || state?.status === 'ended') {
      await rest(retryMs, signal)
      continue
    }
    try {
      if (state?.status === 'waiting' && Date.now() > streamAgainAt) {
        await ifAlone(`place:${place.token}`, () => stream(place, signal)).catch(() => {
          streamAgainAt = Date.now() + withoutStreamMs
        })
      }
      if (signal.aborted) return
      await ask(place, signal)
    } catch {
      await rest(retryMs, signal)
      continue
    }
    const pollAfterMs = stateOf(concertId)?.pollAfterMs ?? retryMs
    await rest(isHidden() ? Math.max(pollAfterMs, hiddenPollMs) : pollAfterMs, signal)
  }
}

async function stream(place: Place, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const both = AbortSignal.any([signal, over.signal])
  // What is looked at again is asked for again: a stream that slept may not know that it is dead.
  onWake(() => over.abort(), both)
  try {
    await followEvents('watchPlace', { place: place.token, signal: both }, ({ name, data }) => {
      if (name === 'queue') note(place, data as PlaceState)
      if (stateOf(place.concertId)?.status !== 'waiting' || placeOf(place.concertId)?.token !== place.token)
        over.abort()
    })
  } catch (error) {
    if (!both.aborted) throw error
  }
}

/** Runs `work` in one tab at a time; a tab that finds it running elsewhere does without. */
async function ifAlone(name: string, work: () => Promise<void>): Promise<void> {
  // Plain HTTP from another machine has no locks; there every tab looks after itself.
  if (!('locks' in navigator)) return work()
  await navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work()
  })
}
