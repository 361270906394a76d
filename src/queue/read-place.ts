import { describePlace, type Place, type PlaceState, type QueueSnapshot, type QueueStatus } from './queue.ts'
import type { LineWatch } from './watch-lines.ts'

/**
 * How a place stands. Someone who waits is answered from memory: a comparison and a subtraction, no store. Someone
 * admitted costs one line of a shared query, which also counts as showing up.
 */
export function readPlace(watch: LineWatch, touch: (place: Place) => Promise<PlaceState>) {
  return async (place: Place): Promise<QueueStatus> => {
    const snapshot = await watch.snapshot(place.concertId)
    const state = place.number > snapshot.serving ? waitingState(place, snapshot, watch) : await touch(place)
    return describePlace(place.number, state, snapshot, Math.random())
  }
}

/** Waiting, unless there is nothing left to wait for. */
function waitingState(place: Place, snapshot: QueueSnapshot, watch: LineWatch): PlaceState {
  if (watch.hasLeft(place)) return { status: 'ended', reason: 'left' }
  if (snapshot.soldOut) return { status: 'ended', reason: 'sold-out' }
  // The sale's end is days after its start: this clock's drift does not matter.
  if (snapshot.saleClosesAt.getTime() <= Date.now()) return { status: 'ended', reason: 'expired' }
  return { status: 'waiting' }
}
