import type { ConcertFacts } from '../concerts/concert.ts'
import { startLoop, type Loop } from '../platform/loop.ts'
import { problem } from '../problems.ts'
import type { Place, QueueCounters, QueueSnapshot } from './queue.ts'
import type { QueueStore } from './queue-store.ts'

/** How often one instance looks at the lines it is asked about: fans see a change within this. */
const refreshMs = 250
/** Seats left are counted at most this often, and never for more than a twentieth of the time. */
const countMs = 500
const countShare = 20
/** A line nobody asked about for this long is not looked at any more. */
const forgetMs = 60_000
/** The pace of admission is measured over this long. */
const paceMs = 10_000
/** Reads overlap by this much, so that a place whose leaving committed late is seen. */
const overlapMs = 5_000

type Line = {
  snapshot: QueueSnapshot
  /** Numbers that left while waiting: the only thing about waiting fans that is kept at all. */
  left: Set<number>
  paces: { at: number; serving: number }[]
  askedAt: number
}

export type LineWatch = {
  /** The line of a concert as this instance knows it, at most a refresh old; `concert-not-found` otherwise. */
  snapshot: (concertId: number) => Promise<QueueSnapshot>
  /** Whether the place left while it waited. */
  hasLeft: (place: Place) => boolean
  /** Tells of what this instance just did, so that it does not wait for the next look. */
  noteCounters: (counters: QueueCounters) => void
  noteLeft: (place: Place) => void
  /** Called after every look. Returns the function that ends it. */
  onRefresh: (listener: () => void) => () => void
  loop: Loop
}

export type WatchOptions = {
  store: QueueStore
  readFacts: (concertId: number) => Promise<ConcertFacts | undefined>
  countSeatsLeft: (concertIds: number[]) => Promise<Map<number, number>>
  signal: AbortSignal
  onError: (error: unknown, failures: number) => void
}

/**
 * Keeps the lines that fans of this instance ask about in memory, refreshed a few times a second, once for everyone.
 * This is what makes waiting free: a poll is answered from here, whatever the crowd.
 */
export function watchLines({ store, readFacts, countSeatsLeft, signal, onError }: WatchOptions): LineWatch {
  const lines = new Map<number, Line>()
  const opening = new Map<number, Promise<Line>>()
  const listeners = new Set<() => void>()
  let since: Date | undefined
  let countAgainAt = 0

  function applyFacts(snapshot: QueueSnapshot, facts: ConcertFacts): void {
    const { soldOut, paused, ratePerSecond, saleOpensAt, saleClosesAt } = facts
    Object.assign(snapshot, { soldOut, paused, ratePerSecond, saleOpensAt, saleClosesAt })
  }

  function applyCounters({ concertId, issued, serving }: QueueCounters): void {
    const line = lines.get(concertId)
    if (!line) return
    const { snapshot } = line
    snapshot.issued = Math.max(snapshot.issued, issued)
    if (serving <= snapshot.serving) return
    snapshot.serving = serving
    for (const number of line.left) if (number <= serving) line.left.delete(number)
  }

  function measurePace(line: Line, at: number): void {
    const { paces, snapshot } = line
    paces.push({ at, serving: snapshot.serving })
    while (paces.length > 2 && at - (paces[0]?.at ?? at) > paceMs) paces.shift()
    const first = paces[0]
    const seconds = first ? (at - first.at) / 1000 : 0
    snapshot.admittedPerSecond =
      first && seconds > 0 ? Math.round(((snapshot.serving - first.serving) / seconds) * 100) / 100 : 0
  }

  async function open(concertId: number): Promise<Line> {
    const facts = await readFacts(concertId)
    if (!facts) throw problem('concert-not-found')
    const seats = await countSeatsLeft([concertId])
    // Last, so that the next refresh starts where this look ended.
    const { counters, left } = await store.read([concertId], undefined)
    const snapshot: QueueSnapshot = {
      concertId,
      issued: counters[0]?.issued ?? 0,
      serving: counters[0]?.serving ?? 0,
      admittedPerSecond: 0,
      ratePerSecond: facts.ratePerSecond,
      seatsLeft: seats.get(concertId) ?? 0,
      soldOut: facts.soldOut,
      paused: facts.paused,
      saleOpensAt: facts.saleOpensAt,
      saleClosesAt: facts.saleClosesAt,
    }
    const line: Line = {
      snapshot,
      left: new Set(left.map((place) => place.number)),
      paces: [],
      askedAt: Date.now(),
    }
    lines.set(concertId, line)
    return line
  }

  async function refresh(): Promise<boolean> {
    const at = Date.now()
    for (const [concertId, line] of lines) if (at - line.askedAt > forgetMs) lines.delete(concertId)
    const concertIds = [...lines.keys()]
    if (concertIds.length === 0) {
      since = undefined
      // A stream whose client did not read for long may be all that is left, and asks again by itself.
      for (const listener of listeners) listener()
      return false
    }
    const [{ counters, left, now }] = await Promise.all([
      store.read(concertIds, since),
      ...concertIds.map(async (concertId) => {
        const facts = await readFacts(concertId)
        const line = lines.get(concertId)
        if (facts && line) applyFacts(line.snapshot, facts)
      }),
    ])
    since = new Date(now.getTime() - overlapMs)
    for (const { concertId, number } of left) lines.get(concertId)?.left.add(number)
    for (const counter of counters) applyCounters(counter)
    if (at >= countAgainAt) {
      const started = performance.now()
      for (const [concertId, seatsLeft] of await countSeatsLeft(concertIds)) {
        const line = lines.get(concertId)
        if (line) line.snapshot.seatsLeft = seatsLeft
      }
      countAgainAt = Date.now() + Math.max(countMs, (performance.now() - started) * countShare)
    }
    for (const line of lines.values()) measurePace(line, at)
    for (const listener of listeners) listener()
    return false
  }

  return {
    async snapshot(concertId) {
      let line = lines.get(concertId)
      if (!line) {
        let pending = opening.get(concertId)
        if (!pending) {
          pending = open(concertId).finally(() => opening.delete(concertId))
          opening.set(concertId, pending)
        }
        line = await pending
      }
      line.askedAt = Date.now()
      return line.snapshot
    },
    hasLeft: ({ concertId, number }) => lines.get(concertId)?.left.has(number) ?? false,
    noteCounters: applyCounters,
    noteLeft: ({ concertId, number }) => {
      const note = ({ snapshot, left }: Line) => {
        if (number > snapshot.serving) left.add(number)
      }
      const line = lines.get(concertId)
      if (line) note(line)
      // The look that opens the line may be older than what happened now.
      else void opening.get(concertId)?.then(note, () => {})
    },
    onRefresh(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    loop: startLoop({ work: refresh, restMs: refreshMs, signal, onError }),
  }
}
