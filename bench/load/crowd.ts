import { spreadOf } from '../statistics.ts'
import { Connection, type Answer } from './connection.ts'
import type { HoldAndPayResult, PollResult, Rate, Tasks } from './tasks.ts'

/** As many as a demo concert's shows have. */
const seatsPerShow = 50
const seatPrice = 10_000
const hourMs = 3_600_000

type Fan = {
  userId: string
  /** Lines of a request's head that prove who it is, and that it is their turn. */
  accessLine: string
  placeLine: string
  isInside: boolean
}

type Concert = { concertId: number; showIds: number[] }

/** Fans by the ten thousand over a few connections, each of which asks its next question when it has its answer. */
export class Crowd {
  #url = ''
  #connections: Connection[] = []
  #fans: Fan[] = []
  #concert: Concert = { concertId: 0, showIds: [] }
  #purchases = 0

  async connect({ url, connections }: Tasks['connect']['ask']): Promise<Record<string, never>> {
    for (const connection of this.#connections) connection.close()
    this.#url = url
    this.#connections = await Promise.all(Array.from({ length: connections }, () => Connection.open(url)))
    return {}
  }

  async signUp({ fans: count, balance }: Tasks['signUp']['ask']): Promise<Rate> {
    const fans: Fan[] = []
    const rate = await this.#share(count, async (connection) => {
      const { userId, accessToken } = expect(
        201,
        await connection.send('POST', '/v1/users', '', '{"name":"fan"}'),
      ) as { userId: string; accessToken: string }
      const accessLine = `authorization: Bearer ${accessToken}\r\n`
      fans.push({ userId, accessLine, placeLine: '', isInside: false })
      if (balance === 0) return
      const path = `/v1/users/${userId}/balance/charges`
      expect(201, await connection.send('POST', path, accessLine, JSON.stringify({ amount: balance })))
    })
    this.#fans = fans
    return rate
  }

  async join({ operatorToken, seats, capacity, ratePerSecond }: Tasks['join']['ask']) {
    this.#concert = await this.#createConcert(operatorToken, seats, { capacity, ratePerSecond })
    const { concertId } = this.#concert
    let active = 0
    const rate = await this.#share(this.#fans.length, async (connection, index) => {
      const fan = this.#fans[index]!
      const answer = await connection.send('POST', `/v1/concerts/${concertId}/queue`, fan.accessLine)
      const { token, status } = expect(201, answer) as { token: string; status: string }
      fan.placeLine = `queue-token: ${token}\r\n`
      fan.isInside = status === 'active'
      if (fan.isInside) active++
    })
    return { ...rate, active, waiting: this.#fans.length - active }
  }

  async holdAndPay({ secondsMax, keyed }: Tasks['holdAndPay']['ask']): Promise<HoldAndPayResult> {
    const { showIds } = this.#concert
    const holdMs: number[] = []
    const payMs: number[] = []
    const refused: Record<string, number> = {}
    const refuse = (answer: Answer): void => {
      const code = codeOf(answer)
      refused[code] = (refused[code] ?? 0) + 1
    }
    const key = (): string => (keyed ? `idempotency-key: ${++this.#purchases}\r\n` : '')
    const { seconds } = await this.#share(
      this.#fans.length,
      async (connection, index) => {
        const { accessLine, placeLine } = this.#fans[index]!
        const proof = accessLine + placeLine
        const wish = {
          showId: showIds[Math.floor(index / seatsPerShow)],
          seats: [(index % seatsPerShow) + 1],
        }
        const started = performance.now()
        const hold = await connection.send('POST', '/v1/reservations', proof + key(), JSON.stringify(wish))
        if (hold.status !== 201) return refuse(hold)
        const held = performance.now()
        const { reservationId } = JSON.parse(hold.body) as { reservationId: string }
        const body = JSON.stringify({ reservationId })
        const payment = await connection.send('POST', '/v1/payments', proof + key(), body)
        if (payment.status !== 201) return refuse(payment)
        holdMs.push(held - started)
        payMs.push(performance.now() - held)
      },
      secondsMax,
    )
    return { count: payMs.length, seconds, refused, holdMs: spreadOf(holdMs), payMs: spreadOf(payMs) }
  }

  async poll({ seconds: secondsMax }: Tasks['poll']['ask']): Promise<PollResult> {
    const lines = this.#fans.filter((fan) => !fan.isInside).map((fan) => fan.placeLine)
    if (lines.length === 0) throw new Error('nobody waits')
    const pollMs: number[] = []
    const rate = await this.#share(
      Infinity,
      async (connection, index) => {
        const started = performance.now()
        const answer = await connection.send('GET', '/v1/queue', lines[index % lines.length]!)
        if (answer.status !== 200) throw unexpected(answer)
        pollMs.push(performance.now() - started)
      },
      secondsMax,
    )
    return { ...rate, pollMs: spreadOf(pollMs) }
  }

  async #createConcert(operatorToken: string, seats: number, queue: object): Promise<Concert> {
    const now = Date.now()
    const answer = await this.#connections[0]!.send(
      'POST',
      '/v1/operator/concerts',
      `authorization: Bearer ${operatorToken}\r\n`,
      JSON.stringify({
        title: 'A concert of the bench',
        artist: 'Bench Ensemble',
        venue: 'Bench Hall',
        saleOpensAt: new Date(now - hourMs),
        saleClosesAt: new Date(now + 24 * hourMs),
        queue,
        shows: Array.from({ length: Math.ceil(seats / seatsPerShow) }, () => ({
          startsAt: new Date(now + 48 * hourMs),
          seats: [{ from: 1, to: seatsPerShow, price: seatPrice }],
        })),
      }),
    )
    const { concertId, shows } = expect(201, answer) as { concertId: number; shows: { showId: number }[] }
    return { concertId, showIds: shows.map(({ showId }) => showId) }
  }

  /** Does `count` things over all connections, as many at once as there are, starting none after `secondsMax`. */
  async #share(
    count: number,
    work: (connection: Connection, index: number) => Promise<void>,
    secondsMax = Infinity,
  ): Promise<Rate> {
    if (this.#connections.length === 0) throw new Error(`not connected to ${this.#url}`)
    let next = 0
    const started = performance.now()
    const last = started + secondsMax * 1000
    await Promise.all(
      this.#connections.map(async (connection) => {
        while (next < count && performance.now() < last) await work(connection, next++)
      }),
    )
    return { count: next, seconds: (performance.now() - started) / 1000 }
  }
}

function expect(status: number, answer: Answer): unknown {
  if (answer.status !== status) throw unexpected(answer)
  return JSON.parse(answer.body)
}

function unexpected({ status, body }: Answer): Error {
  return new Error(`the service answered ${status} ${body.slice(0, 500)}`)
}

/** The code of a refusal; anything that is not one fails the run. */
function codeOf(answer: Answer): string {
  const { code } = JSON.parse(answer.body) as { code?: unknown }
  if (answer.status >= 500 || typeof code !== 'string') throw unexpected(answer)
  return code
}
