import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { Place, PlaceState } from './queue.ts'
import type { Joined, QueueStore, QueueTimes } from './queue-store.ts'

/** What the suite is given: two stores on one line, as two instances of the service have them. */
export type OpenedStores = {
  store: QueueStore
  other: QueueStore
  /** The id of a concert whose line is empty. */
  newLine: () => Promise<number>
  /** Whether a rejected call lost a race without any effect, so that the service asks again. */
  isRetryable: (error: unknown) => boolean
  [Symbol.asyncDispose]: () => Promise<void>
}

/** Longer than any test: for those that are not about time. */
const long: QueueTimes = { sessionSeconds: 600, claimSeconds: 300 }
/** Too short for a session, so that one begun by showing up can be told from it. */
const shownUp: QueueTimes = { sessionSeconds: 600, claimSeconds: 20 }
const shortClaim: QueueTimes = { sessionSeconds: 600, claimSeconds: 1 }
const shortSession: QueueTimes = { sessionSeconds: 1, claimSeconds: 300 }

const unlimited = 1_000_000
const patiently = { interval: 10, timeout: 10_000 }
const everyone = { capacity: unlimited, ratePerSecond: unlimited }

const fans = (count: number): string[] => Array.from({ length: count }, () => randomUUID())
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
const statuses = (states: PlaceState[]): string[] => states.map(({ status }) => status)

/** What any store of the line must keep, whatever it is made of. */
export function describeQueueStore(open: (times: QueueTimes) => Promise<OpenedStores>): void {
  // Opened once for all tests of the same times: each has lines of its own.
  const opened = new Map<QueueTimes, Promise<OpenedStores>>()
  afterAll(async () => {
    for (const stores of opened.values()) await (await stores)[Symbol.asyncDispose]()
  })

  function given(times: QueueTimes): Promise<OpenedStores> {
    const stores = opened.get(times) ?? open(times)
    opened.set(times, stores)
    return stores
  }

  /** Asks again when another was faster, as the service does. */
  async function persist<Answer>(opened: OpenedStores, ask: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!opened.isRetryable(error)) throw error
      }
    }
  }

  /** Joins fans one call together; they may all go in at once up to `capacity`. */
  async function joinAll(
    store: QueueStore,
    concertId: number,
    userIds: string[],
    capacity: number,
  ): Promise<{ joined: Joined[]; places: Place[] }> {
    const joined = await store.join(userIds.map((userId) => ({ concertId, userId, capacity })))
    return {
      joined,
      places: joined.map(({ number }, index) => ({ concertId, userId: userIds[index]!, number })),
    }
  }

  const left = (place: Place) => ({ ...place, reason: 'left' as const })
  const completed = (place: Place) => ({ ...place, reason: 'completed' as const })

  /** Steps of admission until `serving` is reached: the rate is a matter of time. */
  async function admitUpTo(
    { store }: OpenedStores,
    concertId: number,
    serving: number,
    rules = everyone,
  ): Promise<void> {
    await expect
      .poll(async () => {
        await store.admit([{ concertId, ...rules }])
        return (await store.read([concertId], undefined)).counters[0]?.serving
      }, patiently)
      .toBe(serving)
  }

  /** A step that had all the time the rate could ask for, and so did all it may. */
  async function admitAll(opened: OpenedStores, concertId: number, capacity: number): Promise<void> {
    let admitted = 1
    while (admitted > 0) {
      const steps = await opened.store.admit([{ concertId, capacity, ratePerSecond: unlimited }])
      admitted = steps[0]?.admitted ?? 0
    }
  }

  describe.concurrent('numbers', () => {
    test('are dense, unique and in the order of the requests', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const first = await joinAll(opened.store, concertId, fans(60), 0)
      const second = await joinAll(opened.other, concertId, fans(40), 0)
      expect(first.joined.map(({ number }) => number)).toEqual(upTo(60))
      expect(second.joined.map(({ number }) => number)).toEqual(upTo(100).slice(60))
      expect(second.joined.at(-1)).toMatchObject({ isNew: true, issued: 100, serving: 0 })
    })

    test('are counted for each concert apart, also within one call', async () => {
      const opened = await given(long)
      const [one, two] = [await opened.newLine(), await opened.newLine()]
      const [a, b] = fans(2) as [string, string]
      const joined = await opened.store.join([
        { concertId: two, userId: a, capacity: 1 },
        { concertId: one, userId: a, capacity: 0 },
        { concertId: two, userId: b, capacity: 1 },
      ])
      expect(joined.map(({ number, state }) => [number, state.status])).toEqual([
        [1, 'active'],
        [1, 'waiting'],
        [2, 'waiting'],
      ])
    })

    test('stay with their fan, who may ask for one again and again', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const [a, b, c] = fans(3) as [string, string, string]
      await joinAll(opened.store, concertId, [a, b], 1)
      const { joined } = await joinAll(opened.other, concertId, [b, c, a], 1)
      expect(joined.map(({ number, isNew, state }) => [number, isNew, state.status])).toEqual([
        [2, false, 'waiting'],
        [3, true, 'waiting'],
        [1, false, 'active'],
      ])
    })

    test('a fan who asks through two instances at the same moment gets one number, and no number is lost', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const crowd = fans(40)
      const calls = await Promise.all(
        crowd
          .flatMap((userId) => [
            { store: opened.store, userId },
            { store: opened.other, userId },
            { store: opened.other, userId },
          ])
          .map(({ store, userId }) => persist(opened, () => joinAll(store, concertId, [userId], 5))),
      )
      const numbers = new Map<string, Set<number>>()
      for (const { places } of calls) {
        for (const { userId, number } of places) {
          numbers.set(userId, (numbers.get(userId) ?? new Set()).add(number))
        }
      }
      expect([...numbers.values()].map(({ size }) => size)).toEqual(crowd.map(() => 1))
      const all = [...numbers.values()].flatMap((set) => [...set]).toSorted((a, b) => a - b)
      expect(all).toEqual(upTo(40))
      expect(calls.filter(({ joined }) => joined[0]!.isNew)).toHaveLength(40)
    })
  })

  describe.concurrent('going in at once', () => {
    test('is for those who find room and nobody waiting, with the whole session', async () => {
      const opened = await given(shortClaim)
      const concertId = await opened.newLine()
      const { joined } = await joinAll(opened.store, concertId, fans(5), 3)
      expect(statuses(joined.map(({ state }) => state))).toEqual([
        'active',
        'active',
        'active',
        'waiting',
        'waiting',
      ])
      const { now } = await opened.store.read([concertId], undefined)
      const [first] = joined
      const untilMs = first!.state.status === 'active' ? first!.state.activeUntil.getTime() : 0
      expect(untilMs - now.getTime()).toBeGreaterThan(500_000)
    })

    test('is for nobody while somebody waits, however much room there is', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      await joinAll(opened.store, concertId, fans(2), 1)
      const { joined } = await joinAll(opened.store, concertId, fans(1), 50)
      expect(joined[0]).toMatchObject({ number: 3, serving: 1, state: { status: 'waiting' } })
    })

    test('is for nobody after one who may not, when a capacity changes between two requests of one call', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const [a, b, c] = fans(3) as [string, string, string]
      const joined = await opened.store.join([
        { concertId, userId: a, capacity: 0 },
        { concertId, userId: b, capacity: 100 },
        { concertId, userId: c, capacity: 100 },
      ])
      const states = statuses(joined.map(({ state }) => state))
      expect(states.lastIndexOf('active')).toBeLessThan(
        states.includes('waiting') ? states.indexOf('waiting') : states.length,
      )
      expect(joined.at(-1)!.serving).toBe(states.filter((status) => status === 'active').length)
    })

    test('is possible again once everyone who waited has left', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(3), 0)
      await opened.store.end(places.map(left))
      await admitAll(opened, concertId, 10)
      const { joined } = await joinAll(opened.store, concertId, fans(1), 10)
      expect(joined[0]).toMatchObject({ number: 4, serving: 4, state: { status: 'active' } })
    })
  })

  describe.concurrent('admission', () => {
    test('follows the numbers exactly', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(12), 2)
      const inside = places.slice(0, 2)
      for (let next = 2; next < 12; next++) {
        // Now the one who came first goes, now the one who came last: the order of leaving is not that of the line.
        const gone = next % 2 === 0 ? inside.pop() : inside.shift()
        await opened.store.end([completed(gone!)])
        await admitUpTo(opened, concertId, next + 1, { capacity: 2, ratePerSecond: unlimited })
        const states = statuses(await opened.store.touch(places))
        expect(states.slice(next + 1)).toEqual(places.slice(next + 1).map(() => 'waiting'))
        expect(states[next]).toBe('active')
        inside.push(places[next]!)
      }
    })

    test('tells how many it let in and where the line stands', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      await joinAll(opened.store, concertId, fans(5), 0)
      const told: unknown[] = []
      await expect
        .poll(async () => {
          told.push(...(await opened.store.admit([{ concertId, capacity: 3, ratePerSecond: unlimited }])))
          return told.length
        }, patiently)
        .toBe(1)
      expect(told).toEqual([{ concertId, issued: 5, serving: 3, admitted: 3 }])
    })

    test('never lets more in than the capacity, counting those who have not shown up yet', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(30), 4)
      for (const capacity of [4, 7, 7, 9]) {
        await Promise.all([admitAll(opened, concertId, capacity), admitAll(opened, concertId, capacity)])
        const { counters } = await opened.store.read([concertId], undefined)
        expect(counters[0]?.serving).toBe(capacity)
      }
      expect(statuses(await opened.store.touch(places)).filter((status) => status === 'active')).toHaveLength(
        9,
      )
    })

    test('waits until enough have gone when the capacity becomes less than there are inside', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(8), 6)
      await opened.store.end(places.slice(0, 2).map(completed))
      await admitAll(opened, concertId, 4)
      expect((await opened.store.read([concertId], undefined)).counters[0]?.serving).toBe(6)
      await opened.store.end(places.slice(2, 3).map(completed))
      await admitUpTo(opened, concertId, 7, { capacity: 4, ratePerSecond: unlimited })
    })

    test('lets nobody in while the capacity is none, and takes fans all the same', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { joined } = await joinAll(opened.store, concertId, fans(3), 0)
      await admitAll(opened, concertId, 0)
      expect(statuses(joined.map(({ state }) => state))).toEqual(['waiting', 'waiting', 'waiting'])
      expect((await opened.store.read([concertId], undefined)).counters).toEqual([
        { concertId, issued: 3, serving: 0 },
      ])
    })

    test('lets in no more than the rate allows, one second’s worth at once', async () => {
      const opened = await given(long)
      const rules = { capacity: unlimited, ratePerSecond: 20 }
      const startedAt = performance.now()
      const concertId = await opened.newLine()
      await joinAll(opened.store, concertId, fans(200), 0)
      let admitted = 0
      while (admitted < 30) {
        const steps = await Promise.all([
          opened.store.admit([{ concertId, ...rules }]),
          opened.other.admit([{ concertId, ...rules }]),
        ])
        for (const [step] of steps) admitted += step?.admitted ?? 0
        const seconds = (performance.now() - startedAt) / 1000
        expect(admitted).toBeLessThanOrEqual(20 + 20 * seconds)
      }
    })

    test('lets someone in at a rate below one a second, too', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(2), 0)
      await admitUpTo(opened, concertId, 1, { capacity: 10, ratePerSecond: 0.8 })
      expect(statuses(await opened.store.touch(places))).toEqual(['active', 'waiting'])
    })

    test('settles many lines in one step, each by its own rules', async () => {
      const opened = await given(long)
      const [full, paused, quiet] = [await opened.newLine(), await opened.newLine(), await opened.newLine()]
      await joinAll(opened.store, full, fans(4), 0)
      await joinAll(opened.store, paused, fans(4), 0)
      await expect
        .poll(async () => {
          await opened.store.admit([
            { concertId: paused, capacity: 0, ratePerSecond: unlimited },
            { concertId: quiet, capacity: 9, ratePerSecond: unlimited },
            { concertId: full, capacity: 3, ratePerSecond: unlimited },
          ])
          const { counters } = await opened.store.read([full, paused], undefined)
          return Object.fromEntries(counters.map(({ concertId, serving }) => [concertId, serving]))
        }, patiently)
        .toEqual({ [full]: 3, [paused]: 0 })
    })
  })

  describe.concurrent('showing up', () => {
    test('is the first touch, which starts the whole session; later ones change nothing', async () => {
      const opened = await given(shownUp)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(2), 0)
      await admitUpTo(opened, concertId, 2)
      const { now } = await opened.store.read([concertId], undefined)
      const [first] = await opened.store.touch(places.slice(0, 1))
      expect(first).toMatchObject({ status: 'active' })
      const untilMs = first?.status === 'active' ? first.activeUntil.getTime() : 0
      expect(untilMs - now.getTime()).toBeGreaterThan(500_000)
      expect(await opened.other.touch(places.slice(0, 1))).toEqual([first])
    })

    test('not doing so in time ends the place and frees it for the next', async () => {
      const opened = await given(shortClaim)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(3), 0)
      for (const serving of [1, 2, 3]) {
        await admitUpTo(opened, concertId, serving, { capacity: 1, ratePerSecond: unlimited })
      }
      expect((await opened.store.touch(places))[0]).toEqual({ status: 'ended', reason: 'no-show' })
    })

    test('too late is told so, also before any step of admission has noticed', async () => {
      const opened = await given(shortClaim)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(1), 0)
      await admitUpTo(opened, concertId, 1)
      const { now: admittedBy } = await opened.store.read([concertId], undefined)
      await expect
        .poll(
          async () =>
            (await opened.store.read([concertId], undefined)).now.getTime() - admittedBy.getTime() > 1_000,
          patiently,
        )
        .toBe(true)
      expect(await opened.store.touch(places)).toEqual([{ status: 'ended', reason: 'no-show' }])
    })

    test('of a place that was never given, or is another’s, is leaving', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(2), 0)
      await admitUpTo(opened, concertId, 2)
      const [a, b] = places as [Place, Place]
      const ended = { status: 'ended', reason: 'left' }
      expect(
        await opened.store.touch([
          { ...a, number: b.number },
          { ...a, number: 77 },
          { ...a, concertId: 2_000_000_000 },
          { ...a, userId: randomUUID() },
        ]),
      ).toEqual([ended, ended, ended, ended])
    })

    test('is answered in the order of the places, also when one is asked for twice', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(3), 1)
      const [inside, waiting] = places as [Place, Place]
      await opened.store.end([left(places[2]!)])
      const states = await opened.store.touch([places[2]!, inside, waiting, inside])
      expect(statuses(states)).toEqual(['ended', 'active', 'waiting', 'active'])
      expect(states[1]).toEqual(states[3])
    })
  })

  describe.concurrent('a session', () => {
    test('ends by itself and frees its place for the next', async () => {
      const opened = await given(shortSession)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(2), 1)
      await admitUpTo(opened, concertId, 2, { capacity: 1, ratePerSecond: unlimited })
      expect((await opened.store.touch(places))[0]).toEqual({ status: 'ended', reason: 'expired' })
    })

    test('is lengthened by an extension and never shortened', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(1), 1)
      const [place] = places as [Place]
      const { now } = await opened.store.read([concertId], undefined)
      const later = new Date(now.getTime() + 900_000)
      const sooner = new Date(now.getTime() + 1_000)
      await opened.store.extend([
        { ...place, until: sooner },
        { ...place, until: later },
      ])
      expect(await opened.store.touch([place])).toEqual([{ status: 'active', activeUntil: later }])
      await opened.other.extend([{ ...place, until: sooner }])
      expect(await opened.store.touch([place])).toEqual([{ status: 'active', activeUntil: later }])
    })

    test('is not begun, nor begun again, by an extension', async () => {
      const opened = await given(shortSession)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(4), 3)
      const [expiring, completing, another, waiting] = places as [Place, Place, Place, Place]
      await opened.store.end([completed(completing)])
      await expect
        .poll(async () => statuses(await opened.store.touch([expiring, another])), patiently)
        .toEqual(['ended', 'ended'])
      const until = new Date(Date.now() + 900_000)
      const stranger = { ...another, userId: randomUUID() }
      await opened.store.extend(
        [expiring, completing, stranger, waiting].map((place) => ({ ...place, until })),
      )
      expect(await opened.store.touch([expiring, completing, another, waiting])).toEqual([
        { status: 'ended', reason: 'expired' },
        { status: 'ended', reason: 'completed' },
        { status: 'ended', reason: 'expired' },
        { status: 'waiting' },
      ])
    })
  })

  describe.concurrent('ending', () => {
    test('happens once, for the first reason, and frees one place', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(6), 2)
      const [first] = places as [Place]
      await opened.store.end([completed(first), left(first), completed(first)])
      await Promise.all([
        persist(opened, () => opened.store.end([left(first)])),
        persist(opened, () => opened.other.end([left(first)])),
      ])
      await admitAll(opened, concertId, 2)
      expect(await opened.store.touch(places.slice(0, 1))).toEqual([{ status: 'ended', reason: 'completed' }])
      expect((await opened.store.read([concertId], undefined)).counters[0]?.serving).toBe(3)
    })

    test('of another’s place, or of one that was never given, changes nothing', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(2), 1)
      const [inside] = places as [Place]
      await opened.store.end([left({ ...inside, userId: randomUUID() }), left({ ...inside, number: 9 })])
      await admitAll(opened, concertId, 1)
      expect(statuses(await opened.store.touch(places))).toEqual(['active', 'waiting'])
    })

    test('while waiting gives the turn to the next and frees no place inside', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const { places } = await joinAll(opened.store, concertId, fans(6), 1)
      const leavers = [places[1]!, places[2]!]
      await opened.store.end(leavers.map(left))
      await opened.store.end(leavers.map(left))
      await admitAll(opened, concertId, 1)
      expect(statuses(await opened.store.touch(places.slice(3)))).toEqual(['waiting', 'waiting', 'waiting'])
      await opened.store.end([completed(places[0]!)])
      await admitAll(opened, concertId, 1)
      expect(statuses(await opened.store.touch(places))).toEqual([
        'ended',
        'ended',
        'ended',
        'active',
        'waiting',
        'waiting',
      ])
      expect((await opened.store.touch(leavers))[0]).toEqual({ status: 'ended', reason: 'left' })
    })

    test('a whole crowd that left is passed over, and the one behind it gets in', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      for (let some = 0; some < 10; some++) {
        const { places } = await joinAll(opened.store, concertId, fans(150), 0)
        await opened.store.end(places.map(left))
      }
      const { places } = await joinAll(opened.store, concertId, fans(1), 0)
      await admitUpTo(opened, concertId, 1_501, { capacity: 1, ratePerSecond: unlimited })
      expect(statuses(await opened.store.touch(places))).toEqual(['active'])
    })

    test('leaves the way free for a new number at the end of the line', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const [a, b, c] = fans(3) as [string, string, string]
      const { places } = await joinAll(opened.store, concertId, [a, b, c], 1)
      await opened.store.end([completed(places[0]!), left(places[1]!)])
      const { joined } = await joinAll(opened.store, concertId, [b, a], 1)
      expect(joined.map(({ number, isNew, state }) => [number, isNew, state.status])).toEqual([
        [4, true, 'waiting'],
        [5, true, 'waiting'],
      ])
      expect(statuses(await opened.store.touch(places))).toEqual(['ended', 'ended', 'waiting'])
    })

    test('by time does so, too, before any step of admission has noticed', async () => {
      const opened = await given(shortSession)
      const concertId = await opened.newLine()
      const [a, b] = fans(2) as [string, string]
      const { places } = await joinAll(opened.store, concertId, [a, b], 1)
      await expect.poll(async () => statuses(await opened.store.touch(places))[0], patiently).toBe('ended')
      const { joined } = await joinAll(opened.store, concertId, [randomUUID(), a], 1)
      expect(joined.map(({ number }) => number).toSorted((one, other) => one - other)).toEqual([3, 4])
      expect(joined[1]).toMatchObject({ isNew: true, state: { status: 'waiting' } })
      // Its place inside was freed once, by the new joining or by this step.
      await admitAll(opened, concertId, 1)
      expect((await opened.store.read([concertId], undefined)).counters[0]?.serving).toBe(2)
    })
  })

  describe.concurrent('reading', () => {
    test('tells where lines stand, and who left while waiting since a moment', async () => {
      const opened = await given(long)
      const [one, two] = [await opened.newLine(), await opened.newLine()]
      const { places } = await joinAll(opened.store, one, fans(5), 1)
      await joinAll(opened.store, two, fans(2), 0)
      await opened.store.end([completed(places[0]!), left(places[2]!)])
      const first = await opened.store.read([one, two], undefined)
      expect(first.counters.toSorted((a, b) => a.issued - b.issued)).toEqual([
        { concertId: two, issued: 2, serving: 0 },
        { concertId: one, issued: 5, serving: 1 },
      ])
      expect(first.left).toEqual([{ concertId: one, number: 3 }])
      await opened.store.end([left(places[4]!)])
      expect((await opened.other.read([one], first.now)).left).toContainEqual({ concertId: one, number: 5 })
      const later = new Date(first.now.getTime() + 60_000)
      expect((await opened.other.read([one], later)).left).toEqual([])
    })
  })

  describe.concurrent('any order of events', () => {
    test('leaves the line as a line would be', async () => {
      const opened = await given(long)
      const fanNumber = fc.nat({ max: 7 })
      const step = fc.oneof(
        { weight: 4, arbitrary: fc.record({ do: fc.constant('join' as const), fan: fanNumber }) },
        { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), fan: fanNumber }) },
        {
          weight: 2,
          arbitrary: fc.record({ do: fc.constant('admit' as const), capacity: fc.nat({ max: 4 }) }),
        },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const concertId = await opened.newLine()
          const crowd = fans(8)
          const model = new LineModel()
          const answers: unknown[] = []
          const expected: unknown[] = []
          let capacity = 2
          for (const [index, what] of steps.entries()) {
            const store = index % 2 === 0 ? opened.store : opened.other
            if (what.do === 'admit') {
              capacity = what.capacity
              await admitAll({ ...opened, store }, concertId, capacity)
              model.admit(capacity)
              continue
            }
            const userId = crowd[what.fan]!
            if (what.do === 'join') {
              answers.push(...(await store.join([{ concertId, userId, capacity }])))
              expected.push(model.join(userId, capacity))
            } else {
              const number = model.numberOf(userId)
              if (number === undefined) continue
              await store.end([left({ concertId, userId, number })])
              model.end(userId)
            }
          }
          expect(answers).toMatchObject(expected)
          const places = model.places.map(({ userId }, index) => ({ concertId, userId, number: index + 1 }))
          expect(statuses(await opened.store.touch(places))).toEqual(model.places.map(({ status }) => status))
        }),
        { numRuns: 40 },
      )
    })

    test('two stores at once, joining, admitting and ending, stay one line', async () => {
      const opened = await given(long)
      const concertId = await opened.newLine()
      const capacity = 10
      const inside = new Map<number, Place>()
      const waiting: Place[] = []
      const crowd = fans(240)
      let joined = 0

      async function joiner(store: QueueStore): Promise<void> {
        while (crowd.length > 0) {
          const few = crowd.splice(0, 3)
          const { places } = await persist(opened, () => joinAll(store, concertId, few, capacity))
          joined += places.length
          waiting.push(...places)
        }
      }
      const over = new AbortController()
      async function admitter(store: QueueStore): Promise<void> {
        while (!over.signal.aborted) {
          await persist(opened, () => store.admit([{ concertId, capacity, ratePerSecond: unlimited }]))
        }
      }
      async function visitor(store: QueueStore): Promise<void> {
        while (!over.signal.aborted) {
          const states = await persist(opened, () => store.touch([...waiting]))
          const asked = waiting.splice(0, states.length)
          states.forEach((state, index) => {
            const place = asked[index]!
            if (state.status === 'active') inside.set(place.number, place)
            else waiting.push(place)
          })
          // Every one of these was inside at the moment of one answer.
          expect(states.filter(({ status }) => status === 'active').length).toBeLessThanOrEqual(capacity)
          const done = [...inside.values()].slice(0, 4)
          await Promise.all([
            persist(opened, () => opened.store.end(done.map(completed))),
            persist(opened, () => opened.other.end(done.map(left))),
          ])
          for (const { number } of done) inside.delete(number)
          if (joined === 240 && waiting.length === 0 && inside.size === 0) over.abort()
        }
      }
      await Promise.all([
        joiner(opened.store),
        joiner(opened.other),
        admitter(opened.store),
        admitter(opened.other),
        visitor(opened.store),
      ])
      expect((await opened.store.read([concertId], undefined)).counters).toEqual([
        { concertId, issued: 240, serving: 240 },
      ])
      // Nobody is inside any more, by the store's own count: as many as the capacity go in at once, and no more.
      const { joined: after } = await joinAll(opened.other, concertId, fans(capacity + 1), capacity)
      expect(after.filter(({ state }) => state.status === 'active')).toHaveLength(capacity)
    })
  })
}

/** The line as one would play it with slips of paper: what any sequence of single calls must come to. */
class LineModel {
  readonly places: { userId: string; status: 'waiting' | 'active' | 'ended' }[] = []
  serving = 0

  get inside(): number {
    return this.places.filter(({ status }) => status === 'active').length
  }

  numberOf(userId: string): number | undefined {
    const index = this.places.findLastIndex((place) => place.userId === userId && place.status !== 'ended')
    return index === -1 ? undefined : index + 1
  }

  join(userId: string, capacity: number) {
    const known = this.numberOf(userId)
    if (known === undefined) {
      const isAtOnce = this.serving === this.places.length && this.inside < capacity
      this.places.push({ userId, status: isAtOnce ? 'active' : 'waiting' })
      if (isAtOnce) this.serving++
    }
    const number = known ?? this.places.length
    return {
      number,
      isNew: known === undefined,
      state: { status: this.places[number - 1]!.status },
      issued: this.places.length,
      serving: this.serving,
    }
  }

  end(userId: string): void {
    this.places[(this.numberOf(userId) ?? 0) - 1]!.status = 'ended'
  }

  /** Those who left are passed over only where there is no lack of places. */
  admit(capacity: number): void {
    if (this.inside > capacity) return
    while (this.serving < this.places.length) {
      const next = this.places[this.serving]!
      if (next.status === 'waiting') {
        if (this.inside >= capacity) return
        next.status = 'active'
      }
      this.serving++
    }
  }
}
