import { randomUUID } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../../test/database.ts'
import { countSales } from '../operator/count-sales.ts'
import { openDatabase, type Database, type Tx } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { Bus } from './bus.ts'
import type { Event } from './event.ts'
import { inProcessBus } from './in-process-bus.ts'
import { startRelay, type Relay } from './relay.ts'

const patiently = { interval: 10, timeout: 15_000 }

type Running = Relay & { errors: unknown[]; stop: () => Promise<void> }
const running: Running[] = []

/** A relay as one instance has it: with connections of its own. */
function relay(database: TestDatabase, bus: Bus): Running {
  const own = openDatabase({ url: database.url, poolMax: 2, statementTimeoutMs: 10_000, onError: () => {} })
  const stopping = new AbortController()
  const errors: unknown[] = []
  const started = startRelay({
    database: own,
    bus,
    signal: stopping.signal,
    onPublished: () => {},
    onError: (error) => errors.push(error),
  })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopping.abort()
    stopped ??= started.done.then(() => own.close())
    return stopped
  }
  const it = { ...started, errors, stop }
  running.push(it)
  return it
}

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ stop }) => stop()))
})

/** A bus that remembers what it was given; `meet` may stand in the way. */
function recording(meet: (events: Event[]) => Promise<void> = async () => {}): Bus & { published: Event[] } {
  const published: Event[] = []
  return {
    published,
    async publish(events) {
      await meet(events)
      published.push(...events)
    },
  }
}

async function append(tx: Tx, key: string, turn: number): Promise<void> {
  await tx.query(sql`
    insert into outbox (topic, key, type, data, occurred_at)
    values (
      'frontrow.balances', ${key}, 'balance.charged',
      jsonb_build_object('chargeId', gen_random_uuid(), 'userId', ${key}::text, 'amount', ${turn}::int, 'balance', 0),
      clock_timestamp()
    )`)
}
const turnOf = (event: Event): number => (event as Event<'balance.charged'>).data.amount
const turnsOf = (events: Event[], key: string): number[] =>
  events.filter(({ subject }) => subject === key).map((event) => turnOf(event))

async function unpublished(database: Database): Promise<number> {
  const [row] = await database.query<{ left: number }>(sql`
    select count(*)::int as left from outbox where published_at is null`)
  return row!.left
}

/** The server process of the relay that works now. */
async function leader(database: Database): Promise<number | undefined> {
  const [row] = await database.query<{ pid: number }>(sql`
    select pid from pg_locks
     where locktype = 'advisory' and objid = 7366002
       and database = (select oid from pg_database where datname = current_database())`)
  return row?.pid
}

async function cut(database: Database, pid: number | undefined): Promise<void> {
  await database.query(sql`select pg_terminate_backend(${pid ?? 0}::int)`)
}

test('what was committed is published, and marked, once in quiet times', async () => {
  await using database = await freshDatabase()
  const bus = recording()
  const { wake } = relay(database, bus)
  const key = randomUUID()
  for (let turn = 0; turn < 5; turn++) {
    await append(database, key, turn)
    wake()
  }
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  expect(turnsOf(bus.published, key)).toEqual([0, 1, 2, 3, 4])
  expect(bus.published[0]).toEqual({
    specversion: '1.0',
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    source: 'urn:frontrow',
    type: 'balance.charged',
    subject: key,
    time: expect.stringMatching(/Z$/),
    datacontenttype: 'application/json',
    dataschema: 'urn:frontrow:event:balance.charged:1',
    data: { chargeId: expect.any(String), userId: key, amount: 0, balance: 0 },
  })
})

test('each key’s events come in the order of their commits, however those run across each other', async () => {
  await using database = await freshDatabase()
  const bus = recording()
  const { wake } = relay(database, bus)
  const keys = Array.from({ length: 6 }, () => randomUUID())
  await database.query(sql`create table counters (key text primary key, turn int not null)`)
  for (const key of keys) await database.query(sql`insert into counters values (${key}, 0)`)

  async function write(order: number): Promise<void> {
    for (let time = 0; time < 15; time++) {
      const key = keys[(order + time) % keys.length]!
      await database.transaction(async (tx) => {
        // The lock that the event is written under, as every statement of the service does.
        const [row] = await tx.query<{ turn: number }>(sql`
          update counters set turn = turn + 1 where key = ${key} returning turn`)
        await append(tx, key, row!.turn)
        await tx.query(sql`select pg_sleep(${(order % 3) * 0.004})`)
      })
      wake()
    }
  }
  await Promise.all([0, 1, 2, 3, 4, 5].map((order) => write(order)))
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  const turns = await database.query<{ key: string; turn: number }>(sql`select key, turn from counters`)
  for (const { key, turn } of turns) {
    expect(turnsOf(bus.published, key)).toEqual(Array.from({ length: turn }, (_, index) => index + 1))
  }
})

test('an event that commits after others with later positions is not stepped over', async () => {
  await using database = await freshDatabase()
  const bus = recording()
  const { wake } = relay(database, bus)
  const [slow, quick] = [randomUUID(), randomUUID()]
  const client = await database.connect()
  await client.query('begin')
  await append({ query: async (statement) => (await client.query(statement)).rows }, slow, 1)
  for (let turn = 0; turn < 3; turn++) await append(database, quick, turn)
  wake()
  await expect.poll(() => turnsOf(bus.published, quick), patiently).toEqual([0, 1, 2])
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  await client.query('commit')
  client.release()
  wake()
  await expect.poll(() => turnsOf(bus.published, slow), patiently).toEqual([1])
})

test('what was rolled back is never published', async () => {
  await using database = await freshDatabase()
  const bus = recording()
  const { wake } = relay(database, bus)
  const key = randomUUID()
  await database
    .transaction(async (tx) => {
      await append(tx, key, 1)
      throw new Error('changed its mind')
    })
    .catch(() => {})
  await append(database, key, 2)
  wake()
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  expect(turnsOf(bus.published, key)).toEqual([2])
})

test('more than one pass takes is published in one go', async () => {
  await using database = await freshDatabase()
  await database.query(sql`
    insert into outbox (topic, key, type, data, occurred_at)
    select 'frontrow.balances', 'key', 'balance.charged', jsonb_build_object('amount', n), now()
      from generate_series(1, 1300) n`)
  const bus = recording()
  relay(database, bus)
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  expect(turnsOf(bus.published, 'key')).toEqual(Array.from({ length: 1_300 }, (_, index) => index + 1))
})

test('a relay that is cut off between publishing and marking publishes again, and the sale is counted once', async () => {
  await using database = await freshDatabase()
  const options = { signal: new AbortController().signal, onRetry: () => {}, onDeadLetter: () => {} }
  const counting = inProcessBus(database, [countSales], options)
  let times = 0
  const { wake, errors } = relay(database, {
    async publish(events) {
      await counting.publish(events)
      if (++times <= 2) await cut(database, await leader(database))
    },
  })
  await database.query(sql`
    insert into outbox (topic, key, type, data, occurred_at)
    select 'frontrow.payments', 'reservation ' || n, 'payment.completed', jsonb_build_object(
             'paymentId', gen_random_uuid(), 'reservationId', gen_random_uuid(), 'userId', gen_random_uuid(),
             'concertId', 1, 'showId', n % 2, 'seats', jsonb_build_array(n), 'amount', 100, 'queueNumber', n
           ), now()
      from generate_series(1, 10) n`)
  wake()
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  expect([times, errors.length]).toEqual([3, 2])
  expect(
    await database.query(sql`select show_id, payments, seats, amount from sales order by show_id`),
  ).toEqual([
    { show_id: 0, payments: 5, seats: 5, amount: 500 },
    { show_id: 1, payments: 5, seats: 5, amount: 500 },
  ])
})

test('a bus that refuses is asked again with the same events, and none is marked meanwhile', async () => {
  await using database = await freshDatabase()
  let refusals = 0
  const bus = recording(async () => {
    if (++refusals <= 3) throw new Error('not now')
  })
  const { wake, errors } = relay(database, bus)
  const key = randomUUID()
  await append(database, key, 1)
  await append(database, key, 2)
  wake()
  await expect.poll(() => errors.length, patiently).toBeGreaterThan(0)
  expect(await unpublished(database)).toBe(2)
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  expect(turnsOf(bus.published, key)).toEqual([1, 2])
  expect(errors).toHaveLength(3)
})

test('of two instances’ relays one works, and the other goes on where it ended', async () => {
  await using database = await freshDatabase()
  const buses = [recording(), recording()] as const
  const relays = buses.map((bus) => relay(database, bus))
  await expect.poll(() => leader(database), patiently).toBeDefined()
  const key = randomUUID()
  async function write(from: number): Promise<void> {
    for (let turn = from; turn < from + 10; turn++) {
      await append(database, key, turn)
      for (const { wake } of relays) wake()
    }
    await expect.poll(() => unpublished(database), patiently).toBe(0)
  }
  await write(0)
  const turns = buses.map(({ published }) => turnsOf(published, key))
  expect(turns.filter(({ length }) => length > 0)).toEqual([Array.from({ length: 10 }, (_, turn) => turn)])

  const first = turns[0]!.length > 0 ? 0 : 1
  await relays[first]!.stop()
  await write(10)
  expect(turnsOf(buses[1 - first]!.published, key)).toEqual(
    Array.from({ length: 10 }, (_, turn) => turn + 10),
  )
})

test('a relay that lost its lock marks nothing, although it still publishes, and the other has the last word', async () => {
  await using database = await freshDatabase()
  const isPublishing = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const late = recording(async () => {
    isPublishing.resolve()
    await goOn.promise
  })
  relay(database, late).wake()
  await expect.poll(() => leader(database), patiently).toBeDefined()
  const key = randomUUID()
  await append(database, key, 1)
  await isPublishing.promise
  const lost = await leader(database)
  await cut(database, lost)
  const refusing = recording(async () => {
    throw new Error('not now')
  })
  const { errors, stop } = relay(database, refusing)
  await expect.poll(() => errors.length, patiently).toBeGreaterThan(0)
  goOn.resolve()
  await expect.poll(() => late.published.length, patiently).toBeGreaterThan(0)
  // It published and could not mark: the event stays to be brought by whoever leads next.
  await stop()
  await expect.poll(() => unpublished(database), patiently).toBe(0)
  expect(new Set(late.published.map(({ id }) => id)).size).toBe(1)
  expect(late.published.length).toBeGreaterThan(1)
})

test('a stopping relay finishes what it has begun, and gives up the lock', async () => {
  await using database = await freshDatabase()
  const isPublishing = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const bus = recording(async () => {
    isPublishing.resolve()
    await goOn.promise
  })
  const { stop } = relay(database, bus)
  await append(database, randomUUID(), 1)
  await isPublishing.promise
  const stopping = stop()
  goOn.resolve()
  await stopping
  expect([bus.published.length, await unpublished(database), await leader(database)]).toEqual([
    1,
    0,
    undefined,
  ])
})
