import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { checkInvariants } from '../src/operator/check-invariants.ts'
import { openDatabase, type Database } from '../src/platform/postgres/database.ts'
import { sql } from '../src/platform/postgres/sql.ts'
import { Client, createConcert, Fan, type Answer } from './client.ts'
import { freshDatabase } from './database.ts'
import {
  databaseUrlOf,
  freshDataFolder,
  postmasterOf,
  spawnService,
  type DataFolder,
  type ServiceProcess,
} from './process.ts'

/** Where the kills fall and what the fans do follows from this and from the load itself. */
const seed = 20_270_101
const fansMax = 30
const operatorToken = 'operator-token-of-the-kill-tests'
const settings = {
  TOKEN_SECRET: 'a secret of the kill tests, long enough to be one',
  OPERATOR_TOKEN: operatorToken,
  RATE_LIMITS: 'off',
  DEMO_DATA: 'off',
  // Short enough that holds also expire, and a third of the fans has to wait for a place.
  HOLD_SECONDS: '2',
  QUEUE_CAPACITY: '20',
  QUEUE_RATE_PER_SECOND: '10000',
  SEATS_PER_USER_MAX: '10000',
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A service that is killed and started again under those who use it. */
class KilledService {
  readonly stderr: string[] = []
  readonly stdout: string[] = []
  readonly #start: () => ServiceProcess
  #process: ServiceProcess
  #client: Promise<Client>

  constructor(start: () => ServiceProcess) {
    this.#start = start
    this.#process = start()
    this.#client = this.#process.serving().then((url) => new Client(url))
  }

  get client(): Promise<Client> {
    return this.#client
  }

  /** Ends the process with `signal` and, after `meanwhile`, starts it again. */
  async restart(signal: NodeJS.Signals, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const before = this.#client
    this.#client = (async () => {
      await this.stop(signal)
      await meanwhile()
      this.#process = this.#start()
      return new Client(await this.#process.serving())
    })()
    await this.#client
    await (await before).close()
  }

  async stop(signal: NodeJS.Signals) {
    const ending = await this.#process.kill(signal)
    this.stdout.push(this.#process.stdout())
    this.stderr.push(this.#process.stderr())
    return ending
  }

  /**
   * Asks until there is an answer. `cuts` counts the times that the connection broke first: then nobody knows what
   * became of the request, and it is sent again as it was.
   */
  async ask(send: (client: Client) => Promise<Answer>): Promise<Answer & { cuts: number }> {
    for (let cuts = 0; ; cuts++) {
      const client = await this.#client
      try {
        return { ...(await send(client)), cuts }
      } catch {
        // Cut. The next client is there when the next process is.
      }
    }
  }
}

type Facts = {
  charges: { userId: string; answer: Answer['body'] }[]
  holds: { userId: string; answer: Answer['body']; end: 'paid' | 'cancelled' | 'unpaid' }[]
  payments: { userId: string; answer: Answer['body'] }[]
  places: { userId: string; number: number; token: string }[]
  /** The requests that succeeded, to be sent again at the end. */
  repeats: { send: (client: Client) => Promise<Answer>; body: unknown }[]
  /** Requests that were cut and then settled by asking again. */
  cuts: number
}

/** Fans who buy until they are told to stop, and every success they were told of. */
class Crowd {
  readonly facts: Facts = { charges: [], holds: [], payments: [], places: [], repeats: [], cuts: 0 }
  readonly #service: KilledService
  readonly #concert: { concertId: number; showIds: number[] }
  readonly #random = randomFrom(seed)
  readonly #enough = new AbortController()
  readonly #done: Promise<unknown>
  #keys = 0
  #failed: unknown
  #onFact = () => {}

  constructor(service: KilledService, concert: { concertId: number; showIds: number[] }, fans: Fan[]) {
    this.#service = service
    this.#concert = concert
    this.#done = Promise.all(fans.map((fan) => this.#buyOn(fan))).catch((error: unknown) => {
      this.#failed = error
      this.#onFact()
    })
  }

  get successes(): number {
    return this.facts.repeats.length
  }

  /** Resolves at a random point of the work ahead: while other requests are in flight. */
  async workOn(): Promise<void> {
    const goal = this.successes + 40 + Math.floor(this.#random() * 160)
    while (this.successes < goal && !this.#failed) {
      await new Promise<void>((resolve) => (this.#onFact = resolve))
    }
    if (this.#failed) throw this.#failed
  }

  async stop(): Promise<void> {
    this.#enough.abort()
    await this.#done
    if (this.#failed) throw this.#failed
  }

  async #buyOn(fan: Fan): Promise<void> {
    while (!this.#enough.signal.aborted && !this.#failed) await this.#buy(fan)
  }

  /** One visit: get in, have money, hold, and then pay, give up or forget. Every answer must be one of those expected. */
  async #buy(fan: Fan): Promise<void> {
    if (!(await this.#getIn(fan))) return
    await this.#charge(fan)
    const held = await this.#hold(fan)
    if (!held) return
    const choice = this.#random()
    if (choice < 0.7) await this.#pay(fan, held)
    else if (choice < 0.85) await this.#cancel(fan, held)
    if (choice >= 0.95) await this.#ask(fan, (via) => via.leave(), [204])
  }

  async #getIn(fan: Fan): Promise<boolean> {
    const joined = await this.#ask(fan, (via) => via.join(this.#concert.concertId), [200, 201])
    fan.queueToken = joined.body['token']
    this.facts.places.push({ userId: fan.userId, number: joined.body['number'], token: fan.queueToken })
    for (;;) {
      const { body } = await this.#ask(fan, (via) => via.place(), [200])
      if (body['status'] !== 'waiting') return body['status'] === 'active'
      // Nobody makes room any more.
      if (this.#enough.signal.aborted) return false
      await sleep(20)
    }
  }

  async #charge(fan: Fan): Promise<void> {
    const amount = 10_000 * (1 + Math.floor(this.#random() * 8))
    const key = this.#key()
    const { body } = await this.#ask(fan, (via) => via.charge(amount, key), [201])
    this.facts.charges.push({ userId: fan.userId, answer: body })
    this.#noteSuccess((client) => fan.through(client).charge(amount, key), body)
  }

  async #hold(fan: Fan): Promise<Facts['holds'][number] | undefined> {
    const showId = this.#concert.showIds[Math.floor(this.#random() * this.#concert.showIds.length)]!
    // All fans want the next few seats that are not sold yet.
    const sold = this.facts.payments.filter(({ answer }) => answer['showId'] === showId)
    const front = sold.reduce((seats, { answer }) => seats + answer['seats'].length, 0)
    const size = 1 + Math.floor(this.#random() * 3)
    const first = front + 1 + Math.floor(this.#random() * 40)
    const seats = Array.from({ length: size }, (_, index) => first + index)
    const key = this.#key()
    const { status, body } = await this.#ask(fan, (via) => via.hold(showId, seats, key), [
      201,
      'seat-taken',
      'session-ended',
    ])
    if (status !== 201) return undefined
    const held: Facts['holds'][number] = { userId: fan.userId, answer: body, end: 'unpaid' }
    this.facts.holds.push(held)
    this.#noteSuccess((client) => fan.through(client).hold(showId, seats, key), body)
    return held
  }

  async #pay(fan: Fan, held: Facts['holds'][number]): Promise<void> {
    const key = this.#key()
    const reservationId: string = held.answer['reservationId']
    const { status, body } = await this.#ask(fan, (via) => via.pay(reservationId, key), [
      201,
      'insufficient-balance',
      'hold-expired',
      'session-ended',
    ])
    if (status !== 201) return
    held.end = 'paid'
    this.facts.payments.push({ userId: fan.userId, answer: body })
    this.#noteSuccess((client) => fan.through(client).pay(reservationId, key), body)
  }

  async #cancel(fan: Fan, held: Facts['holds'][number]): Promise<void> {
    const { status, body, cuts } = await this.#ask(fan, (via) => via.cancel(held.answer['reservationId']), [
      204,
      'not-held',
    ])
    // Cut after it was done: asking again finds it done.
    const wasDone = cuts > 0 && body['state'] === 'cancelled'
    if (status === 204 || wasDone) held.end = 'cancelled'
    else if (body['state'] !== 'expired') throw new Error(`a hold was not held: ${JSON.stringify(body)}`)
  }

  async #ask(fan: Fan, send: (via: Fan) => Promise<Answer>, expected: (number | string)[]) {
    const answer = await this.#service.ask((client) => send(fan.through(client)))
    this.facts.cuts += answer.cuts
    const isExpected = expected.includes(answer.status) || expected.includes(answer.body['code'])
    if (!isExpected) throw new Error(`it answered ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer
  }

  #key(): string {
    return `key-${++this.#keys}`
  }

  #noteSuccess(send: (client: Client) => Promise<Answer>, body: unknown): void {
    this.facts.repeats.push({ send, body })
    this.#onFact()
  }
}

async function openSale(service: KilledService): Promise<Crowd> {
  const client = await service.client
  const concert = await createConcert(client, operatorToken, {
    capacity: Number(settings.QUEUE_CAPACITY),
    shows: [{ seats: 3_000 }, { seats: 3_000 }],
  })
  const fans = await Promise.all(Array.from({ length: fansMax }, () => Fan.signUp(client)))
  return new Crowd(service, concert, fans)
}

const sorted = (ids: string[]): string[] => ids.toSorted((a, b) => (a < b ? -1 : 1))

/** What the clients were told, and what the database says now, are the same: nothing lost, nothing twice. */
async function expectAllTrue(service: KilledService, { facts }: Crowd, database: Database): Promise<void> {
  const client = await service.client
  expect(facts.cuts).toBeGreaterThan(0)
  const repeated = await Promise.all(facts.repeats.map(({ send }) => send(client)))
  expect(repeated.map(({ body }) => body)).toEqual(facts.repeats.map(({ body }) => body))

  const reservations = await database.query<{ id: string; user_id: string; state: string; seats: number[] }>(
    sql`select id, user_id, state, seat_numbers as seats from reservations`,
  )
  const states = { paid: ['paid'], cancelled: ['cancelled'], unpaid: ['held', 'expired'] }
  const kept = new Map(reservations.map((reservation) => [reservation.id, reservation]))
  expect(sorted([...kept.keys()])).toEqual(sorted(facts.holds.map(({ answer }) => answer['reservationId'])))
  for (const { userId, answer, end } of facts.holds) {
    const reservation = kept.get(answer['reservationId'])
    expect(reservation).toMatchObject({
      user_id: userId,
      seats: answer['seats'].map((seat: { number: number }) => seat.number),
    })
    expect(states[end]).toContain(reservation?.state)
  }

  const payments = await database.query<{
    id: string
    reservation_id: string
    user_id: string
    amount: number
  }>(sql`select id, reservation_id, user_id, amount from payments order by id`)
  expect(payments).toEqual(
    facts.payments
      .map(({ userId, answer }) => ({
        id: answer['paymentId'],
        reservation_id: answer['reservationId'],
        user_id: userId,
        amount: answer['amount'],
      }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  )

  const charges = await database.query<{ reference: string }>(
    sql`select reference from balance_entries where kind = 'charge'`,
  )
  expect(sorted(charges.map(({ reference }) => reference))).toEqual(
    sorted(facts.charges.map(({ answer }) => answer['chargeId'])),
  )
  const expected = new Map<string, number>()
  const add = (userId: string, amount: number) => expected.set(userId, (expected.get(userId) ?? 0) + amount)
  for (const { userId, answer } of facts.charges) add(userId, answer['amount'])
  for (const { userId, answer } of facts.payments) add(userId, -answer['amount'])
  const balances = await database.query<{ user_id: string; amount: number }>(
    sql`select user_id, amount from balances`,
  )
  expect(new Map(balances.map(({ user_id: userId, amount }) => [userId, amount]))).toEqual(expected)

  const places = await database.query<{ number: number; user_id: string }>(
    sql`select number, user_id from queue_places`,
  )
  const fanOf = new Map(places.map(({ number, user_id: userId }) => [number, userId]))
  for (const { number, userId } of facts.places) expect(fanOf.get(number)).toBe(userId)

  expect((await checkInvariants(database)).filter(({ holds }) => !holds)).toEqual([])
}

/** Every event is out, every consumer has counted it once. */
async function expectAllHeard({ facts }: Crowd, database: Database): Promise<void> {
  for (;;) {
    const [left] = await database.query<{ events: number; due: number }>(sql`
      select (select count(*) from outbox where published_at is null) as events,
             (select count(*) from reservations where state = 'held') as due`)
    if (left?.events === 0 && left.due === 0) break
    await sleep(20)
  }
  const events = await database.query<{ type: string; keys: number; events: number }>(
    sql`select type, count(*) as events from outbox group by type`,
  )
  const counted = Object.fromEntries(events.map(({ type, events: count }) => [type, count]))
  const ends = Map.groupBy(facts.holds, ({ end }) => end)
  expect(counted).toMatchObject({
    'balance.charged': facts.charges.length,
    'reservation.held': facts.holds.length,
    'reservation.cancelled': ends.get('cancelled')?.length,
    'reservation.expired': ends.get('unpaid')?.length,
    'payment.completed': facts.payments.length,
  })
  const [sales] = await database.query<{ payments: number; amount: number; dead_letters: number }>(sql`
    select sum(payments) as payments, sum(amount)::bigint as amount,
           (select count(*) from dead_letters) as dead_letters
      from sales`)
  expect(sales).toEqual({
    payments: facts.payments.length,
    amount: facts.payments.reduce((sum, { answer }) => sum + answer['amount'], 0),
    dead_letters: 0,
  })
}

/** An operator who looks at what the killed processes wrote finds no failure and no stack in it. */
function expectQuiet(service: KilledService): void {
  expect(service.stderr.join('')).toBe('')
  const lines = service.stdout.join('\n').split('\n')
  expect(lines.filter((line) => /"level":[56]0|"stack":/.test(line))).toEqual([])
}

test('a service that is killed four times under load keeps every promise it made', async () => {
  await using database = await freshDatabase()
  const service = new KilledService(() => spawnService({ ...settings, DATABASE_URL: database.url }))
  try {
    const crowd = await openSale(service)
    for (let kills = 0; kills < 4; kills++) {
      await crowd.workOn()
      await service.restart('SIGKILL')
    }
    await crowd.workOn()
    await crowd.stop()
    await expectAllTrue(service, crowd, database)
    await expectAllHeard(crowd, database)
    await (await service.client).close()
    expect(await service.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    expectQuiet(service)
  } finally {
    await service.stop('SIGKILL')
  }
})

test('with its own PostgreSQL: the next start adopts the one that a kill left, and survives losing both', async () => {
  await using data = await freshDataFolder()
  const service = new KilledService(() => spawnService({ ...settings, DATA_FOLDER: data.path }))
  try {
    const crowd = await openSale(service)
    await crowd.workOn()
    const left = await postmasterOf(data.path)
    await service.restart('SIGKILL')
    expect((await postmasterOf(data.path))?.pid).toBe(left?.pid)

    await crowd.workOn()
    await service.restart('SIGKILL', () => killPostgres(data))
    expect((await postmasterOf(data.path))?.pid).not.toBe(left?.pid)

    await crowd.workOn()
    await crowd.stop()
    const url = await databaseUrlOf(data.path)
    const database = openDatabase({ url, poolMax: 2, statementTimeoutMs: 30_000, onError: () => {} })
    await expectAllTrue(service, crowd, database)
    await expectAllHeard(crowd, database)
    await database.close()
    await (await service.client).close()
    expect(await service.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(await postmasterOf(data.path)).toBeUndefined()
    expectQuiet(service)
  } finally {
    await service.stop('SIGKILL')
  }
})

async function killPostgres({ path }: DataFolder): Promise<void> {
  const postmaster = await postmasterOf(path)
  process.kill(postmaster?.pid ?? 0, 'SIGKILL')
  while (await postmaster?.isRunning()) await sleep(5)
}
