import type { EndReason, Place, PlaceState, QueueCounters, QueueRules } from './queue.ts'

/** A fan asking for a place; `capacity` is the most sessions of that concert at once. */
export type JoinRequest = { concertId: number; userId: string; capacity: number }

export type Joined = {
  number: number
  /** False when the fan already had this place. */
  isNew: boolean
  state: PlaceState
  /** Where the line stood at that moment. */
  issued: number
  serving: number
}

export type Ending = Place & { reason: Exclude<EndReason, 'sold-out'> }

/**
 * Keeps the line. A contract suite (`queue-store.contract.ts`) holds the store of today, and any further one, to this.
 * Every call takes many requests and is atomic; outcomes come in the order of the requests. Times are the store's.
 *
 * Numbers are dense, unique and given in the order of the requests; admission follows them exactly; sessions never
 * exceed the capacity given.
 */
export type QueueStore = {
  /**
   * Gives each fan the next number, or the place they already have. If there is room and nobody waits, the fan is
   * active at once, with the whole session. Requests of one call must be of different fans per concert.
   */
  join: (requests: JoinRequest[]) => Promise<Joined[]>
  /**
   * Says how the places stand; an admitted fan's first touch is showing up, and starts the whole session.
   * A place that this store never gave, or gave to another, is `left`.
   */
  touch: (places: Place[]) => Promise<PlaceState[]>
  /** Lets live sessions run until then at least. */
  extend: (extensions: (Place & { until: Date })[]) => Promise<void>
  /** Ends places, waiting or active. A place that has ended stays as it is. */
  end: (endings: Ending[]) => Promise<void>
  /**
   * One step of admission: ends sessions past their time, then admits by number as many as places, the rate and the
   * line allow. Safe when several instances do it at once.
   */
  admit: (rules: QueueRules[]) => Promise<(QueueCounters & { admitted: number })[]>
  /** Where the lines stand, and the numbers that left while waiting since `since`. */
  read: (
    concertIds: number[],
    since: Date | undefined,
  ) => Promise<{ counters: QueueCounters[]; left: { concertId: number; number: number }[]; now: Date }>
}

export type QueueTimes = { sessionSeconds: number; claimSeconds: number }
