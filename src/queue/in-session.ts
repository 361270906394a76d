import { again } from '../platform/batch.ts'
import type { Session } from './guard.ts'
import type { Place, PlaceState } from './queue.ts'

/** The outcome of a request whose fan is not inside, or not any more. */
export type Outside = { code: 'outside'; state: Exclude<PlaceState, { status: 'active' }> }

export type InSessionOptions<Request, Outcome> = {
  touch: (places: Place[]) => Promise<PlaceState[]>
  placeOf: (request: Request) => Place
  settle: (requests: Request[]) => Promise<(Outcome | typeof again)[]>
  /** What an outcome means for the sessions: they end, or run longer. */
  follow: (settled: { session: Session; outcome: Outcome }[]) => Promise<void>
  /** Told when it failed. What was settled stays so, and its events bring the same to the sessions a moment later. */
  onFollowFailed: (error: unknown) => void
}

/**
 * Settles a batch of requests of fans who must be inside. The sessions of all are asked for at once, then those that
 * live are settled at once, then what follows for their sessions is done at once: three statements for a batch of any
 * size. As three batches of their own they were three times as many, each a third as large.
 */
export function inSession<Request, Outcome>({
  touch,
  placeOf,
  settle,
  follow,
  onFollowFailed,
}: InSessionOptions<Request, Outcome>) {
  return async (requests: Request[]): Promise<(Outcome | Outside | typeof again)[]> => {
    const places = requests.map(placeOf)
    const states = await touch(places)
    const inside = requests.filter((_, index) => states[index]?.status === 'active')
    const settled = inside.length > 0 ? await settle(inside) : []

    let next = 0
    const followed: { session: Session; outcome: Outcome }[] = []
    const outcomes = requests.map((_, index): Outcome | Outside | typeof again => {
      const state = states[index] as PlaceState
      if (state.status !== 'active') return { code: 'outside', state }
      const outcome = settled[next++] as Outcome | typeof again
      if (outcome !== again) {
        const session = { ...(places[index] as Place), activeUntil: state.activeUntil }
        followed.push({ session, outcome })
      }
      return outcome
    })
    if (followed.length > 0) await follow(followed).catch(onFollowFailed)
    return outcomes
  }
}
