import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { Client, Fan } from '../../test/client.ts'
import { freshDatabase, type TestDatabase } from '../../test/database.ts'
import { addShow } from '../../test/sale.ts'
import { buildApp } from '../app.ts'
import { countSeatsLeft, readFacts } from '../concerts/read-facts.ts'
import { readConfig } from '../config.ts'
import { sql, type Statement } from '../platform/postgres/sql.ts'
import { postgresQueueStore } from './postgres-queue-store.ts'
import type { Place } from './queue.ts'
import type { QueueStore } from './queue-store.ts'
import { readPlace } from './read-place.ts'
import { watchLines, type LineWatch } from './watch-lines.ts'

const defaults = { queueCapacity: 1, queueRatePerSecond: 1_000_000 }
const patiently = { interval: 10, timeout: 10_000 }

afterEach(() => {
  vi.useRealTimers()
})

type Watched = {
  store: QueueStore
  watch: LineWatch
  /** Statements that the watch has asked of the database. */
  asked: () => number
  [Symbol.asyncDispose]: () => Promise<void>
}

/** A watch on the database; `look` stands between it and the store's answers. */
function watching(
  database: TestDatabase,
  {
    isLooking = true,
    look = (read) => read,
  }: { isLooking?: boolean; look?: (read: QueueStore['read']) => QueueStore['read'] } = {},
): Watched {
  let asked = 0
  const counted = {
    ...database,
    query: <Row extends object>(statement: Statement) => {
      asked++
      return database.query<Row>(statement)
    },
  }
  const stopping = new AbortController()
  if (!isLooking) stopping.abort()
  const store = postgresQueueStore(database, { sessionSeconds: 600, claimSeconds: 300 })
  const watched = postgresQueueStore(counted, { sessionSeconds: 600, claimSeconds: 300 })
  const watch = watchLines({
    store: { ...watched, read: look(watched.read.bind(watched)) },
    readFacts: readFacts(counted, defaults),
    countSeatsLeft: (concertIds) => countSeatsLeft(counted, concertIds),
    signal: stopping.signal,
    onError: () => {},
  })
  return {
    store,
    watch,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await watch.loop.done
    },
  }
}

async function joinAll(store: QueueStore, concertId: number, count: number): Promise<Place[]> {
  const userIds = Array.from({ length: count }, () => randomUUID())
  const joined = await store.join(userIds.map((userId) => ({ concertId, userId, capacity: 1 })))
  return joined.map(({ number }, index) => ({ concertId, userId: userIds[index]!, number }))
}

test('answering those who wait asks nothing of the database, however many they are', async () => {
  await using database = await freshDatabase()
  const { concertId } = await addShow(database)
  await using watched = watching(database, { isLooking: false })
  const places = await joinAll(watched.store, concertId, 250)
  let touched = 0
  const read = readPlace(watched.watch, async (place) => {
    touched++
    return (await watched.store.touch([place]))[0]!
  })

  await read(places[1]!)
  const askedToOpen = watched.asked()
  const answers = await Promise.all(places.slice(1).map(read))
  expect(answers.map(({ ahead }) => ahead)).toEqual(Array.from({ length: 249 }, (_, index) => index))
  expect([watched.asked(), touched]).toEqual([askedToOpen, 0])
  // Whoever is inside is asked about: their time runs.
  expect(await read(places[0]!)).toMatchObject({ status: 'active' })
  expect(touched).toBe(1)
})

test('nor does the whole service ask anything for a poll of somebody who waits', async () => {
  await using database = await freshDatabase()
  let asked = 0
  const counted = {
    ...database,
    query: <Row extends object>(statement: Statement) => {
      asked++
      return database.query<Row>(statement)
    },
  }
  const secrets = {
    tokenSecret: 'a secret of the tests, long enough to be one',
    operatorToken: 'a'.repeat(16),
  }
  const { http, close } = await buildApp({
    config: { ...readConfig({ RATE_LIMITS: 'off' }, import.meta.dirname), ...secrets },
    database: counted,
    log: pino({ level: 'error' }),
  })
  const { concertId } = await addShow(database)
  await joinAll(postgresQueueStore(database, { sessionSeconds: 600, claimSeconds: 300 }), concertId, 1)
  await database.query(sql`update concerts set queue_paused = true`)
  const client = new Client(await http.listen({ host: '127.0.0.1', port: 0 }))
  const fan = await Fan.signUp(client)
  await fan.join(concertId)

  const before = asked
  const polls = 2_000
  for (let poll = 0; poll < polls; poll += 100) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => fan.place()))
    expect(answers.filter(({ body }) => body['status'] !== 'waiting')).toEqual([])
  }
  // The loops in the background go on, at some tens of statements a second.
  expect(asked - before).toBeLessThan(polls / 4)
  await client.close()
  await close()
})

test('a line that many ask about at once is looked at once', async () => {
  await using database = await freshDatabase()
  const { concertId } = await addShow(database, 7)
  await using watched = watching(database, { isLooking: false })
  await watched.watch.snapshot(concertId)
  const askedByOne = watched.asked()
  await using crowded = watching(database, { isLooking: false })
  const snapshots = await Promise.all(Array.from({ length: 100 }, () => crowded.watch.snapshot(concertId)))
  expect(crowded.asked()).toBe(askedByOne)
  expect(new Set(snapshots)).toHaveLength(1)
  expect(snapshots[0]).toMatchObject({ concertId, issued: 0, serving: 0, seatsLeft: 7, soldOut: false })
})

test('a concert that does not exist is refused each time, and known as soon as it does', async () => {
  await using database = await freshDatabase()
  await using watched = watching(database, { isLooking: false })
  for (let time = 0; time < 2; time++) {
    await expect(watched.watch.snapshot(1)).rejects.toMatchObject({ code: 'concert-not-found' })
  }
  const { concertId } = await addShow(database)
  expect(await watched.watch.snapshot(concertId)).toMatchObject({ concertId: 1 })
})

test('who leaves while the line is being looked at for the first time has left at once', async () => {
  await using database = await freshDatabase()
  const { concertId } = await addShow(database)
  const hasRead = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  await using watched = watching(database, {
    isLooking: false,
    look: (read) => async (concertIds, since) => {
      const answer = await read(concertIds, since)
      hasRead.resolve()
      await goOn.promise
      return answer
    },
  })
  const { store, watch } = watched
  const places = await joinAll(store, concertId, 3)
  const opening = watch.snapshot(concertId)
  await hasRead.promise
  await store.end([{ ...places[2]!, reason: 'left' }])
  watch.noteLeft(places[2]!)
  goOn.resolve()
  await opening
  expect([watch.hasLeft(places[1]!), watch.hasLeft(places[2]!)]).toEqual([false, true])
})

test('a look that is older than what was just done here does not take it back', async () => {
  await using database = await freshDatabase()
  const { concertId } = await addShow(database)
  let hold: { hasRead: PromiseWithResolvers<void>; goOn: PromiseWithResolvers<void> } | undefined
  await using watched = watching(database, {
    look: (read) => async (concertIds, since) => {
      const held = hold
      const answer = await read(concertIds, since)
      held?.hasRead.resolve()
      await held?.goOn.promise
      return answer
    },
  })
  const { store, watch } = watched
  const places = await joinAll(store, concertId, 4)
  const snapshot = await watch.snapshot(concertId)
  expect(snapshot).toMatchObject({ issued: 4, serving: 1 })

  hold = { hasRead: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>() }
  await hold.hasRead.promise
  await store.end([
    { ...places[0]!, reason: 'completed' },
    { ...places[3]!, reason: 'left' },
  ])
  watch.noteLeft(places[3]!)
  const [step] = await store.admit([{ concertId, capacity: 2, ratePerSecond: 1_000_000 }])
  watch.noteCounters(step!)
  const refreshed = new Promise<void>((resolve) => {
    watch.onRefresh(resolve)
  })
  hold.goOn.resolve()
  hold = undefined
  await refreshed
  expect(snapshot).toMatchObject({ issued: 4, serving: 4 })
  expect(watch.hasLeft(places[1]!)).toBe(false)
})

test('every look sees what other instances did: numbers, leaving, pausing, and the seats that are left', async () => {
  await using database = await freshDatabase()
  const { concertId, showId } = await addShow(database, 3)
  await using watched = watching(database)
  const { store, watch } = watched
  const snapshot = await watch.snapshot(concertId)
  const places = await joinAll(store, concertId, 5)
  await store.end([{ ...places[3]!, reason: 'left' }])
  await database.query(sql`update concerts set queue_paused = true, queue_rate_per_second = 3.5`)
  await database.query(sql`
    update seats set reservation_id = ${randomUUID()}, held_until = now() + interval '1 hour'
     where show_id = ${showId} and number < 3`)
  await expect
    .poll(() => ({ ...snapshot }), patiently)
    .toMatchObject({ issued: 5, serving: 1, paused: true, ratePerSecond: 3.5, seatsLeft: 1, soldOut: false })
  expect(places.map((place) => watch.hasLeft(place))).toEqual([false, false, false, true, false])

  await database.query(sql`update seats set sold_at = now(), reservation_id = ${randomUUID()}`)
  await expect.poll(() => snapshot.soldOut, patiently).toBe(true)
})

test('who left is forgotten once the line has passed their number', async () => {
  await using database = await freshDatabase()
  const { concertId } = await addShow(database)
  await using watched = watching(database)
  const { store, watch } = watched
  await watch.snapshot(concertId)
  const places = await joinAll(store, concertId, 3)
  await store.end([{ ...places[1]!, reason: 'left' }])
  await expect.poll(() => watch.hasLeft(places[1]!), patiently).toBe(true)
  await store.admit([{ concertId, capacity: 2, ratePerSecond: 1_000_000 }])
  // From here on the store itself is asked, and says the same.
  await expect.poll(() => watch.hasLeft(places[1]!), patiently).toBe(false)
  expect(await store.touch([places[1]!])).toEqual([{ status: 'ended', reason: 'left' }])
})

test('a line that nobody asks about is not looked at any more, and looked at afresh when somebody does', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  await using database = await freshDatabase()
  const { concertId } = await addShow(database)
  await using watched = watching(database)
  const { store, watch } = watched
  const before = await watch.snapshot(concertId)
  vi.setSystemTime(Date.now() + 61_000)
  await expect
    .poll(async () => {
      const asked = watched.asked()
      await new Promise<void>((resolve) => {
        const stop = watch.onRefresh(() => {
          stop()
          resolve()
        })
      })
      return watched.asked() - asked
    }, patiently)
    .toBe(0)
  const places = await joinAll(store, concertId, 2)
  await store.end([{ ...places[1]!, reason: 'left' }])
  const after = await watch.snapshot(concertId)
  expect(after).not.toBe(before)
  expect([after.issued, watch.hasLeft(places[1]!)]).toEqual([2, true])
})
