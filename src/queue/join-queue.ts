import type { ConcertFacts } from '../concerts/concert.ts'
import { problem } from '../problems.ts'
import { describePlace, type QueueStatus } from './queue.ts'
import type { Joined, JoinRequest } from './queue-store.ts'
import type { QueueTokens } from './queue-token.ts'
import type { LineWatch } from './watch-lines.ts'

export type JoinParts = {
  readFacts: (concertId: number) => Promise<(ConcertFacts & { now: Date }) | undefined>
  join: (request: JoinRequest) => Promise<Joined>
  tokens: QueueTokens
  watch: LineWatch
}

/**
 * Gives a fan a place in the line of a concert on sale, or the one they have. Refuses with `concert-not-found`,
 * `sale-not-open`, `sale-closed` or, when no seat is left that could become free, `sold-out`.
 */
export function joinQueue({ readFacts, join, tokens, watch }: JoinParts) {
  return async (
    concertId: number,
    userId: string,
  ): Promise<{ isNew: boolean; answer: QueueStatus & { token: string } }> => {
    const facts = await readFacts(concertId)
    if (!facts) throw problem('concert-not-found')
    if (facts.now < facts.saleOpensAt) throw problem('sale-not-open', { saleOpensAt: facts.saleOpensAt })
    if (facts.now >= facts.saleClosesAt) throw problem('sale-closed')
    if (facts.soldOut) throw problem('sold-out')
    // A paused line takes fans and lets nobody in.
    const joined = await join({ concertId, userId, capacity: facts.paused ? 0 : facts.capacity })
    const snapshot = await watch.snapshot(concertId)
    watch.noteCounters({ concertId, issued: joined.issued, serving: joined.serving })
    const status = describePlace(joined.number, joined.state, snapshot, Math.random())
    return {
      isNew: joined.isNew,
      answer: { token: tokens.sign({ concertId, userId, number: joined.number }), ...status },
    }
  }
}
