/** The line of one concert: its words and its pure rules. Nothing here asks a store. */

/** A place in the line of a concert: who, and which number. */
export type Place = { concertId: number; userId: string; number: number }

export type EndReason = 'completed' | 'expired' | 'no-show' | 'left' | 'sold-out'

/** What a store says of a place. */
export type PlaceState =
  | { status: 'waiting' }
  | { status: 'active'; activeUntil: Date }
  | { status: 'ended'; reason: EndReason }

/** What a concert's operator decided of its line, defaults filled in. */
export type QueueRules = { concertId: number; capacity: number; ratePerSecond: number }

/** Where the line of a concert stands. */
export type QueueCounters = { concertId: number; issued: number; serving: number }

/** What one instance remembers of a concert's line: enough to answer everyone who waits without asking a store. */
export type QueueSnapshot = {
  concertId: number
  issued: number
  serving: number
  admittedPerSecond: number
  ratePerSecond: number
  seatsLeft: number
  soldOut: boolean
  paused: boolean
  saleOpensAt: Date
  saleClosesAt: Date
}

/**
 * How soon the very next in line should ask again, and how far apart the last ones may. Jitter included, that is
 * sooner than the time to show up ends by default: a fan who does as told never misses a turn that came early.
 */
const nearestPollMs = 1_000
const farthestPollMs = 20_000
/** Eleven days: nobody is told of a longer wait, and the slowest rate an operator can set still gives a number. */
const longestWaitSeconds = 1_000_000
/** Someone inside asks seldom: only to see the session's end. */
const activePollMs = 10_000

/** Fans ahead of `number`: numbers are dense, so it is a subtraction. */
export function aheadOf(number: number, serving: number): number {
  return Math.max(0, number - serving - 1)
}

/** Seconds until admission at the pace seen, or at the pace allowed when none was seen yet. */
export function estimateWaitSeconds(ahead: number, snapshot: QueueSnapshot): number {
  const pace = snapshot.admittedPerSecond > 0 ? snapshot.admittedPerSecond : snapshot.ratePerSecond
  return Math.min(Math.ceil((ahead + 1) / pace), longestWaitSeconds)
}

/**
 * When to ask again: a tenth of the expected wait, so that the crowd far back asks seldom, with jitter so that it
 * does not ask all at once. `random` is from 0 to 1.
 */
export function pollAfterMs(waitSeconds: number, random: number): number {
  const base = Math.min(Math.max(waitSeconds * 100, nearestPollMs), farthestPollMs)
  return Math.round(base * (0.8 + 0.4 * random))
}

export type QueueStatus = {
  number: number
  status: PlaceState['status']
  reason?: EndReason
  ahead: number
  estimatedWaitSeconds: number
  pollAfterMs: number
  seatsLeft: number
  activeUntil: Date | null
}

/** What a fan is told of a place. */
export function describePlace(
  number: number,
  state: PlaceState,
  snapshot: QueueSnapshot,
  random: number,
): QueueStatus {
  const { seatsLeft } = snapshot
  switch (state.status) {
    case 'waiting': {
      const ahead = aheadOf(number, snapshot.serving)
      const estimatedWaitSeconds = estimateWaitSeconds(ahead, snapshot)
      return {
        number,
        status: 'waiting',
        ahead,
        estimatedWaitSeconds,
        pollAfterMs: pollAfterMs(estimatedWaitSeconds, random),
        seatsLeft,
        activeUntil: null,
      }
    }
    case 'active': {
      const { activeUntil } = state
      const poll = Math.round(activePollMs * (0.8 + 0.4 * random))
      return {
        number,
        status: 'active',
        ahead: 0,
        estimatedWaitSeconds: 0,
        pollAfterMs: poll,
        seatsLeft,
        activeUntil,
      }
    }
    case 'ended':
      return {
        number,
        status: 'ended',
        reason: state.reason,
        ahead: 0,
        estimatedWaitSeconds: 0,
        pollAfterMs: farthestPollMs,
        seatsLeft,
        activeUntil: null,
      }
  }
}
