import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../../test/database.ts'
import { expectInvariants, reach, standInTheWay, waitingForLocks } from '../../test/sale.ts'
import { isRetryable, openDatabase } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { postgresQueueStore } from './postgres-queue-store.ts'
import { describeQueueStore } from './queue-store.contract.ts'

async function newLine(database: TestDatabase): Promise<number> {
  const [row] = await database.query<{ id: number }>(sql`
    with concert as (
      insert into concerts (title, artist, venue, sale_opens_at, sale_closes_at)
      values ('A line', 'of', 'the tests', now(), now() + interval '1 day')
      returning id
    )
    insert into queues (concert_id) select id from concert returning concert_id as id`)
  return row!.id
}

describeQueueStore(async (times) => {
  const database = await freshDatabase()
  return {
    store: postgresQueueStore(database, times),
    other: postgresQueueStore(database, times),
    newLine: () => newLine(database),
    isRetryable,
    async [Symbol.asyncDispose]() {
      await expectInvariants(database)
      await database[Symbol.asyncDispose]()
    },
  }
})

const everyone = { capacity: 1_000_000, ratePerSecond: 1_000_000 }
const lockLine = (concertId: number) => sql`select from queues where concert_id = ${concertId} for update`

test('a fan who shows up in time keeps the place, although a join of theirs was waiting for the line until it was too late', async () => {
  await using database = await freshDatabase()
  const store = postgresQueueStore(database, { sessionSeconds: 600, claimSeconds: 1 })
  const concertId = await newLine(database)
  const place = { concertId, userId: randomUUID(), number: 1 }
  const join = { concertId, userId: place.userId, capacity: 0 }
  await store.join([join])
  await expect.poll(() => store.admit([{ concertId, ...everyone }])).toHaveLength(1)

  const inTheWay = await standInTheWay(database, lockLine(concertId))
  const joining = store.join([join])
  await waitingForLocks(database, 1)
  const [row] = await database.query<{ active_until: Date }>(sql`select active_until from queue_places`)
  const [shownUp] = await store.touch([place])
  await reach(database, row!.active_until)
  await inTheWay.release()

  expect(await joining).toMatchObject([{ number: 1, isNew: false }])
  expect(await store.touch([place])).toEqual([shownUp])
})

test('whoever waited for the line goes on from where the others left it, whatever the line was like before', async () => {
  await using database = await freshDatabase()
  const store = postgresQueueStore(database, { sessionSeconds: 600, claimSeconds: 300 })
  const concertId = await newLine(database)
  const crowd = Array.from({ length: 6 }, () => ({ concertId, userId: randomUUID(), capacity: 0 }))
  await store.join(crowd)
  const rules = { concertId, capacity: 4, ratePerSecond: 1_000_000 }

  const inTheWay = await standInTheWay(database, lockLine(concertId))
  // All of these have seen the line as it was before any of them: nobody inside.
  const acts = [
    () => store.admit([rules]),
    () => store.end([{ ...crowd[1]!, number: 2, reason: 'left' }]),
    () => store.join([{ ...crowd[0]!, userId: randomUUID(), capacity: 4 }]),
    () => store.admit([rules]),
    () => store.end([{ ...crowd[0]!, number: 1, reason: 'completed' }]),
    () => store.admit([rules]),
  ]
  const done: Promise<unknown>[] = []
  for (const act of acts) {
    done.push(act())
    await waitingForLocks(database, done.length)
  }
  await inTheWay.release()
  await Promise.all(done)

  await expectInvariants(database)
  await store.admit([rules])
  const [line] = await database.query<{ active: number; issued: number }>(
    sql`select active, issued from queues`,
  )
  expect(line).toEqual({ active: 4, issued: 7 })
})

test('a line of thousands is not read to step it, although its statistics are of when it was empty', async () => {
  await using database = await freshDatabase()
  const concertId = await newLine(database)
  await database.query(sql`alter table queue_places set (autovacuum_enabled = off)`)
  await database.query(sql`vacuum analyze queue_places`)
  const single = openDatabase({
    url: database.url,
    poolMax: 1,
    statementTimeoutMs: 10_000,
    onError: () => {},
  })
  const store = postgresQueueStore(single, { sessionSeconds: 600, claimSeconds: 300 })

  async function useLine(from: number): Promise<void> {
    const places = Array.from({ length: 10 }, (_, index) => ({
      concertId,
      userId: `00000000-0000-7000-8000-${String(from + index).padStart(12, '0')}`,
      number: from + index,
    }))
    await store.admit([{ concertId, capacity: from + 20, ratePerSecond: 1_000_000 }])
    await store.touch(places)
    await store.extend(places.map((place) => ({ ...place, until: new Date(Date.now() + 900_000) })))
    await store.join(places.map((place) => ({ ...place, capacity: 0 })))
    await store.join([{ concertId, userId: randomUUID(), capacity: 0 }])
    await store.end(places.map((place) => ({ ...place, reason: 'left' })))
  }
  async function rowsRead(): Promise<number> {
    await single.query(sql`select pg_stat_force_next_flush()`)
    const [row] = await single.query<{ read: number }>(sql`
      select (t.seq_tup_read + (
               select sum(idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid
             ))::int as read
        from pg_stat_user_tables t
       where t.relname = 'queue_places'`)
    return row!.read
  }

  // Plans are made here, and kept.
  await useLine(1)
  await database.query(sql`
    insert into queue_places (concert_id, number, user_id, joined_at, active_until, claimed_at)
    select ${concertId}, n, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, now(),
           case when n <= 6000 then now() + interval '1 hour' end,
           case when n <= 5900 then now() end
      from generate_series((select issued from queues) + 1, 12000) n`)
  await database.query(sql`update queues set issued = 12000, serving = 6000, active = active + 6000`)
  const before = await rowsRead()
  await useLine(5_895)
  expect(await rowsRead()).toBeLessThan(before + 2_000)
  await single.close()
})
