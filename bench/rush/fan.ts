import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { chooseSeats, partySize } from './choose-seats.ts'
import type { Answer, HonestClient } from './honest-client.ts'
import type { RushOptions } from './options.ts'
import { around, seeded, type Random } from './random.ts'
import type { Sale } from './sale.ts'
import type { Ending, Tally } from './tally.ts'

export type World = {
  client: HonestClient
  tally: Tally
  options: RushOptions
  sale: Sale
  /** The end of the rush, for everyone. */
  signal: AbortSignal
}

/** What the service answers, as far as a fan looks at it. */
type Refusal = { code?: string }
type Place = Refusal & {
  token: string
  status: 'waiting' | 'active' | 'ended'
  reason?: string
  pollAfterMs: number
}
type Shows = Refusal & { shows: { showId: number; seatsLeft: number }[] }
type SeatMap = Refusal & { seats: { number: number; state: string }[] }
type Held = Refusal & { reservationId: string }
type Paid = Refusal & { paymentId: string; showId: number; seats: { number: number }[]; amount: number }

/** How the wait for one's turn can end. */
type Turn = 'active' | 'missed' | 'sold-out' | 'gave-up'

/** Looks at the seats before a fan goes home without any, and joins after missed turns before one stops trying. */
const looksMax = 10
const joinsMax = 5
/** Fans who charge too little first, and have to charge again at the till. */
const poorShare = 0.05
const tooLittle = 1_000
/** A lost connection is lost at any time around the answer. */
const cutWithinMs = 30

/** One fan's evening, from signing up to going home. Counts itself in the tally, and never rejects. */
export async function playFan(world: World, number: number): Promise<void> {
  const fan = new Fan(world, number)
  try {
    world.tally.ended(await fan.live())
  } catch {
    // What failed is counted where it was asked; here only that the fan could not go on.
    world.tally.ended(world.signal.aborted ? 'stopped' : 'refused')
  } finally {
    fan.go()
  }
}

class Fan {
  readonly #world: World
  readonly #random: Random
  readonly #isNoShow: boolean
  readonly #abandons: boolean
  readonly #watches: boolean
  #userId = ''
  #accessToken = ''
  #queueToken = ''
  #where: 'waiting' | 'inside' | undefined

  constructor(world: World, number: number) {
    const { noShows, abandon, streams, seed } = world.options
    this.#world = world
    this.#random = seeded(seed * 1_000_003 + number)
    const fate = this.#random()
    this.#isNoShow = fate < noShows
    this.#abandons = !this.#isNoShow && fate < noShows + abandon
    this.#watches = this.#random() < streams
  }

  async live(): Promise<Ending> {
    const { options, tally } = this.#world
    await this.#pause(this.#random() * options.arriveSeconds)
    await this.#signUp()
    const giveUpAt = performance.now() + options.patienceSeconds * 1000
    for (let joins = 1; joins <= joinsMax; joins++) {
      const joined = await this.#join()
      if (joined.status === 409 && joined.body.code === 'sold-out') return 'sold-out'
      if (joined.status >= 300) return 'refused'
      if (this.#isNoShow) return 'no-show'
      this.#go('waiting')
      const began = performance.now()
      const turn = joined.body.status === 'active' ? 'active' : await this.#wait(joined.body, giveUpAt)
      if (turn === 'active') {
        tally.waitSeconds.push((performance.now() - began) / 1000)
        this.#go('inside')
        return this.#buy()
      }
      if (turn !== 'missed') return turn
      tally.missedTurns++
    }
    return 'gave-up'
  }

  /** Not among those who wait or are inside any more. */
  go(): void {
    this.#go(undefined)
  }

  async #signUp(): Promise<void> {
    const { client, sale } = this.#world
    const { body } = await client.call<{ userId: string; accessToken: string }>({
      name: 'sign up',
      method: 'POST',
      path: '/v1/users',
      body: { name: 'fan' },
    })
    this.#userId = body.userId
    this.#accessToken = body.accessToken
    const isPoor = this.#random() < poorShare
    await this.#charge(isPoor ? tooLittle : 4 * sale.dearestSeat)
  }

  #charge(amount: number): Promise<Answer<Refusal>> {
    return this.#world.client.call<Refusal>({
      name: 'charge',
      method: 'POST',
      path: `/v1/users/${this.#userId}/balance/charges`,
      headers: { ...this.#access, 'idempotency-key': randomUUID() },
      body: { amount },
    })
  }

  async #join(): Promise<Answer<Place>> {
    const answer = await this.#world.client.call<Place>({
      name: 'join',
      method: 'POST',
      path: `/v1/concerts/${this.#world.sale.concertId}/queue`,
      headers: this.#access,
    })
    this.#queueToken = answer.body.token
    return answer
  }

  async #wait(place: Place, giveUpAt: number): Promise<Turn> {
    if (this.#watches) {
      const turn = await this.#watch(giveUpAt)
      if (turn) return turn
    }
    let { pollAfterMs } = place
    for (;;) {
      const leftMs = giveUpAt - performance.now()
      await this.#pause(Math.max(0, Math.min(pollAfterMs, leftMs)) / 1000)
      if (leftMs < pollAfterMs) return this.#giveUp()
      const { status, body } = await this.#ask<Place>('poll', 'GET', '/v1/queue', this.#place)
      if (status !== 200) throw new Error(`a place was refused: ${body.code}`)
      const turn = turnOf(body)
      if (turn) return turn
      pollAfterMs = body.pollAfterMs
    }
  }

  /** Undefined when the stream ended or broke without a decision: polling always works. */
  async #watch(giveUpAt: number): Promise<Turn | undefined> {
    const { client, signal } = this.#world
    const enough = new AbortController()
    const timer = setTimeout(() => enough.abort(), Math.max(0, giveUpAt - performance.now()))
    const either = AbortSignal.any([signal, enough.signal])
    try {
      for await (const { event, data } of client.stream('stream', '/v1/queue/events', this.#place, either)) {
        const turn = event === 'queue' ? turnOf(data as Place) : undefined
        if (turn) return turn
      }
    } catch {
      signal.throwIfAborted()
      if (enough.signal.aborted) return this.#giveUp()
    } finally {
      clearTimeout(timer)
    }
    return undefined
  }

  async #giveUp(): Promise<Turn> {
    await this.#leave()
    return 'gave-up'
  }

  async #leave(): Promise<void> {
    await this.#ask('leave', 'DELETE', '/v1/queue', this.#place)
  }

  async #buy(): Promise<Ending> {
    for (let looks = 1; looks <= looksMax; looks++) {
      const show = await this.#chooseShow()
      if (show === 'ran-out') return show
      const free = show === undefined ? [] : await this.#findFree(show)
      if (free === 'ran-out') return free
      await this.#think()
      if (show === undefined || free.length === 0) continue
      const held = await this.#hold(show, chooseSeats(free, partySize(this.#random), this.#random))
      if (held.status === 201) {
        await this.#think()
        return this.#abandons ? this.#abandon(held.body.reservationId) : this.#pay(held.body.reservationId)
      }
      if (isOver(held)) return 'ran-out'
      // Somebody was quicker: look again and choose others.
      if (held.body.code !== 'seat-taken') return 'refused'
    }
    await this.#leave()
    return 'found-nothing'
  }

  /** Most want one of the first dates; undefined while none has a free seat. */
  async #chooseShow(): Promise<number | undefined | 'ran-out'> {
    const { concertId } = this.#world.sale
    const answer = await this.#ask<Shows>('shows', 'GET', `/v1/concerts/${concertId}/shows`, this.#both)
    if (isOver(answer)) return 'ran-out'
    const open = answer.body.shows.filter(({ seatsLeft }) => seatsLeft > 0)
    const index = Math.floor(around(this.#random, open.length * 0.4))
    return open[Math.min(index, open.length - 1)]?.showId
  }

  async #findFree(showId: number): Promise<number[] | 'ran-out'> {
    const answer = await this.#ask<SeatMap>('seats', 'GET', `/v1/shows/${showId}/seats`, this.#both)
    if (isOver(answer)) return 'ran-out'
    return answer.body.seats.filter(({ state }) => state === 'available').map(({ number }) => number)
  }

  #hold(showId: number, seats: number[]): Promise<Answer<Held>> {
    return this.#world.client.call<Held>({
      name: 'hold',
      method: 'POST',
      path: '/v1/reservations',
      headers: { ...this.#both, 'idempotency-key': randomUUID() },
      body: { showId, seats },
    })
  }

  /** Half of them say so, the others just close the page. */
  async #abandon(reservationId: string): Promise<Ending> {
    if (this.#random() < 0.5) {
      await this.#ask('cancel', 'DELETE', `/v1/reservations/${reservationId}`, this.#access)
      await this.#leave()
    }
    return 'abandoned'
  }

  async #pay(reservationId: string): Promise<Ending> {
    const { tally, sale, options } = this.#world
    for (;;) {
      const isLost = this.#random() < options.lost
      const { status, body } = await this.#world.client.call<Paid>({
        name: 'pay',
        method: 'POST',
        path: '/v1/payments',
        // Another key each time round: under the same one the refusal would be answered again.
        headers: { ...this.#both, 'idempotency-key': randomUUID() },
        body: { reservationId },
        cutAfterMs: isLost ? this.#random() * cutWithinMs : undefined,
      })
      if (status === 201) {
        const { paymentId, showId, amount } = body
        const seats = body.seats.map(({ number }) => number)
        tally.bought({ paymentId, accessToken: this.#accessToken, showId, seats, amount })
        return 'bought'
      }
      if (body.code !== 'insufficient-balance') return isOver({ body }) ? 'ran-out' : 'refused'
      const charged = await this.#charge(4 * sale.dearestSeat)
      if (charged.status !== 201) return 'refused'
    }
  }

  #ask<Body>(
    name: string,
    method: 'GET' | 'DELETE',
    path: string,
    headers: Record<string, string>,
  ): Promise<Answer<Body>> {
    return this.#world.client.call<Body>({ name, method, path, headers })
  }

  get #access(): Record<string, string> {
    return { authorization: `Bearer ${this.#accessToken}` }
  }

  get #place(): Record<string, string> {
    return { 'queue-token': this.#queueToken }
  }

  get #both(): Record<string, string> {
    return { ...this.#access, ...this.#place }
  }

  #think(): Promise<void> {
    return this.#pause(around(this.#random, this.#world.options.thinkSeconds))
  }

  async #pause(seconds: number): Promise<void> {
    await sleep(seconds * 1000, undefined, { signal: this.#world.signal })
  }

  #go(where: 'waiting' | 'inside' | undefined): void {
    const { tally } = this.#world
    if (this.#where) tally[this.#where]--
    if (where) tally[where]++
    this.#where = where
  }
}

function turnOf({ status, reason }: Place): Turn | undefined {
  if (status === 'active') return 'active'
  if (status === 'waiting') return undefined
  return reason === 'sold-out' ? 'sold-out' : 'missed'
}

/** The time inside, or that of the hold, is over. */
function isOver({ body }: { body: Refusal }): boolean {
  return body.code === 'session-ended' || body.code === 'hold-expired'
}
