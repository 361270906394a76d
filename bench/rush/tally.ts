/** How a fan's evening ended. */
export const endings = {
  bought: 'has seats',
  'sold-out': 'told that all is sold',
  'found-nothing': 'left: nothing free to choose',
  'gave-up': 'gave up waiting',
  abandoned: 'held seats and did not pay',
  'no-show': 'joined and never came back',
  'ran-out': 'ran out of time inside',
  refused: 'refused, and could not go on',
  stopped: 'still there at the end of the rush',
} as const

export type Ending = keyof typeof endings

/** A payment that the service confirmed, and whose it is. */
export type Purchase = {
  paymentId: string
  accessToken: string
  showId: number
  seats: number[]
  amount: number
}

/** Everything the crowd saw, as it saw it. */
export class Tally {
  readonly fans: number
  /** Of those who have come and not gone. */
  waiting = 0
  inside = 0
  readonly endings = new Map<Ending, number>()
  /** Times of the calls that were answered, by call. */
  readonly callMs = new Map<string, number[]>()
  /** Answers that were not the one asked for, by call and code. */
  readonly refusals = new Map<string, number>()
  readonly waitSeconds: number[] = []
  readonly purchases = new Map<string, Purchase>()
  /** Admitted while they were away, or too late to poll: they had to join again. */
  missedTurns = 0
  requests = 0
  /** Answers of 500 and above, by call, status and code. */
  readonly serverErrors = new Map<string, number>()
  readonly connectionErrors = new Map<string, number>()
  /** Connections that the rush itself cut while a payment was under way. */
  cuts = 0
  /** Seats that two confirmed payments name. */
  readonly soldTwice: { showId: number; seat: number; paymentIds: [string, string] }[] = []
  readonly #owners = new Map<string, string>()

  constructor(fans: number) {
    this.fans = fans
  }

  answered(call: string, ms: number): void {
    this.requests++
    const times = this.callMs.get(call)
    if (times) times.push(ms)
    else this.callMs.set(call, [ms])
  }

  ended(ending: Ending): void {
    count(this.endings, ending)
  }

  bought(purchase: Purchase): void {
    // A repeated payment is answered again, with the same payment.
    if (this.purchases.has(purchase.paymentId)) return
    this.purchases.set(purchase.paymentId, purchase)
    for (const seat of purchase.seats) {
      const place = `${purchase.showId}:${seat}`
      const owner = this.#owners.get(place)
      if (owner === undefined) this.#owners.set(place, purchase.paymentId)
      else this.soldTwice.push({ showId: purchase.showId, seat, paymentIds: [owner, purchase.paymentId] })
    }
  }

  get gone(): number {
    return [...this.endings.values()].reduce((total, count) => total + count, 0)
  }

  get seatsSold(): number {
    return this.#owners.size
  }
}

export function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
