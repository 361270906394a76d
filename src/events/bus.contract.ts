import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { Bus, Consumer } from './bus.ts'
import type { Event } from './event.ts'

/** What the suite is given: a bus with these consumers, and the database that they write to. */
export type OpenedBus = {
  bus: Bus
  database: Database
  /** What was put aside so far. */
  deadLetters: () => Promise<{ consumer: string; eventId: string; error: string }[]>
  [Symbol.asyncDispose]: () => Promise<void>
}

const patiently = { interval: 20, timeout: 15_000 }

/** An event of one key; `amount` tells its turn. */
export function charged(key: string, turn: number): Event<'balance.charged'> {
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: 'urn:frontrow',
    type: 'balance.charged',
    subject: key,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    dataschema: 'urn:frontrow:event:balance.charged:1',
    data: { chargeId: randomUUID(), userId: key, amount: turn, balance: turn },
  }
}

export function opened(concertId: number): Event<'concert.opened'> {
  return {
    ...charged(`${concertId}`, 0),
    type: 'concert.opened',
    dataschema: 'urn:frontrow:event:concert.opened:1',
    data: { concertId },
  }
}

const turnOf = (event: Event): number => (event as Event<'balance.charged'>).data.amount

/** A consumer that remembers what it was given, and may fail on the way. */
function remembering(name: string, meet: (event: Event) => void = () => {}) {
  const seen: Event[] = []
  const consumer: Consumer = {
    name,
    types: ['balance.charged'],
    effect: 'idempotent',
    async handle(events) {
      for (const event of events) {
        meet(event)
        seen.push(event)
      }
    },
  }
  return { consumer, seen }
}

/** A consumer whose effect would show if it happened twice, or by half. */
function counting(name: string, meet: (event: Event) => Promise<void> | void = () => {}): Consumer {
  return {
    name,
    types: ['balance.charged'],
    effect: 'transactional',
    async handle(events, tx) {
      for (const event of events) {
        await tx.query(sql`insert into effects (consumer, event_id) values (${name}, ${event.id})`)
        await meet(event)
      }
    },
  }
}

/** How often each event had its effect. */
async function effectsOf({ database }: OpenedBus, consumer: string, events: Event[]): Promise<number[]> {
  const rows = await database.query<{ event_id: string; times: number }>(sql`
    select event_id, count(*)::int as times from effects where consumer = ${consumer} group by event_id`)
  const times = new Map(rows.map((row) => [row.event_id, row.times]))
  return events.map(({ id }) => times.get(id) ?? 0)
}

/** What any bus must keep, whatever carries its events. */
export function describeBus(open: (consumers: Consumer[]) => Promise<OpenedBus>): void {
  async function openWithEffects(consumers: Consumer[]): Promise<OpenedBus> {
    const bus = await open(consumers)
    // No key: an effect that happened twice has two rows.
    await bus.database.query(sql`create table effects (consumer text not null, event_id uuid not null)`)
    return bus
  }

  /** Publishes as the relay does: until it has been accepted. */
  async function publishUntilSafe({ bus }: OpenedBus, events: Event[]): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      try {
        await bus.publish(events)
        return attempt
      } catch (error) {
        if (attempt === 20) throw error
      }
    }
  }

  describe('a bus', () => {
    test('brings each event, as it was published, to every consumer that wants its type, and to no other', async () => {
      const one = remembering('one')
      const two = remembering('two')
      const concerts = remembering('concerts')
      await using given = await openWithEffects([
        one.consumer,
        two.consumer,
        { ...concerts.consumer, types: ['concert.opened'] },
      ])
      const events = [charged(randomUUID(), 1), opened(7), charged(randomUUID(), 2)]
      await given.bus.publish(events)
      const ids = (seen: Event[]) => seen.map(({ id }) => id).toSorted()
      const wanted = [events[0]!, events[2]!]
      await expect
        .poll(() => [one.seen, two.seen, concerts.seen].map(ids), patiently)
        .toEqual([ids(wanted), ids(wanted), [events[1]!.id]])
      expect(one.seen.find(({ id }) => id === events[0]!.id)).toEqual(events[0])
    })

    test('keeps the order of each key', async () => {
      const { consumer, seen } = remembering('ordered')
      await using given = await openWithEffects([consumer])
      const keys = Array.from({ length: 7 }, () => randomUUID())
      for (let turn = 0; turn < 30; turn += 3) {
        await given.bus.publish([0, 1, 2].flatMap((more) => keys.map((key) => charged(key, turn + more))))
      }
      const turns = () =>
        keys.map((key) => seen.filter(({ subject }) => subject === key).map((event) => turnOf(event)))
      const inOrder = Array.from({ length: 30 }, (_, turn) => turn)
      await expect.poll(turns, patiently).toEqual(keys.map(() => inOrder))
    })

    test('brings what is published again again, and its effect happens once', async () => {
      const idempotent = remembering('idempotent')
      await using given = await openWithEffects([idempotent.consumer, counting('counting')])
      const events = Array.from({ length: 20 }, (_, turn) => charged(randomUUID(), turn))
      await given.bus.publish(events)
      await Promise.all([given.bus.publish(events), given.bus.publish(events.slice(5))])
      const more = charged(randomUUID(), 0)
      await given.bus.publish([...events, more])
      await expect
        .poll(() => effectsOf(given, 'counting', [...events, more]), patiently)
        .toEqual([...events, more].map(() => 1))
      await expect
        .poll(() => new Set(idempotent.seen.map(({ id }) => id)).size, patiently)
        .toBe(events.length + 1)
      expect(await given.deadLetters()).toEqual([])
    })

    test('tries again when a consumer fails, and leaves nothing of what failed', async () => {
      let failures = 0
      const unsteady = () => {
        if (++failures <= 2) throw new Error('not now')
      }
      await using given = await openWithEffects([counting('unsteady', unsteady)])
      const events = Array.from({ length: 5 }, (_, turn) => charged(randomUUID(), turn))
      await given.bus.publish(events)
      await expect.poll(() => effectsOf(given, 'unsteady', events), patiently).toEqual([1, 1, 1, 1, 1])
      expect(failures).toBeGreaterThan(2)
      expect(await given.deadLetters()).toEqual([])
    })

    test('puts aside only the event that a consumer cannot deal with, and goes on', async () => {
      const bad = charged(randomUUID(), 13)
      const refuse = (event: Event) => {
        // With a character that a database's text cannot hold.
        if (event.id === bad.id) throw new Error('unlucky\u0000 number')
      }
      const other = remembering('other')
      await using given = await openWithEffects([counting('superstitious', refuse), other.consumer])
      const events = [charged(randomUUID(), 1), bad, charged(randomUUID(), 2)]
      await given.bus.publish(events)
      const after = charged(randomUUID(), 3)
      await given.bus.publish([after])
      await expect
        .poll(() => effectsOf(given, 'superstitious', [...events, after]), patiently)
        .toEqual([1, 0, 1, 1])
      await expect
        .poll(() => given.deadLetters(), patiently)
        .toEqual([{ consumer: 'superstitious', eventId: bad.id, error: 'unlucky number' }])
      // What one cannot deal with is no trouble of the others.
      const ids = () => new Set(other.seen.map(({ id }) => id))
      await expect.poll(ids, patiently).toEqual(new Set([...events, after].map(({ id }) => id)))
    })

    test('puts nothing aside while the database is away, and brings it when it is back', async () => {
      let cuts = 0
      const events = Array.from({ length: 3 }, (_, turn) => charged(randomUUID(), turn))
      const cutting: Consumer = {
        name: 'cut',
        types: ['balance.charged'],
        effect: 'transactional',
        async handle(some, tx) {
          for (const { id } of some)
            await tx.query(sql`insert into effects (consumer, event_id) values ('cut', ${id})`)
          // Longer than any back-off would try.
          if (++cuts <= 7) await tx.query(sql`select pg_terminate_backend(pg_backend_pid())`)
        },
      }
      await using given = await openWithEffects([cutting])
      await publishUntilSafe(given, events)
      await expect.poll(() => effectsOf(given, 'cut', events), patiently).toEqual([1, 1, 1])
      expect(cuts).toBeGreaterThan(7)
      expect(await given.deadLetters()).toEqual([])
    })
  })
}
