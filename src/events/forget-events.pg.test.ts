import { expect, test } from 'vitest'
import { freshDatabase } from '../../test/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { forgetEvents } from './forget-events.ts'

test('published events are forgotten after their time, the unpublished never, and marks outlive their events', async () => {
  await using database = await freshDatabase()
  await database.query(sql`
    insert into outbox (topic, key, type, data, occurred_at, published_at)
    select 'frontrow.balances', k, 'balance.charged', '{}', now() - interval '9 days', p
      from (values ('old', now() - interval '73 hours'), ('recent', now() - interval '71 hours'), ('waiting', null)) e(k, p)`)
  await database.query(sql`
    insert into inbox (consumer, event_id, processed_at)
    select c, gen_random_uuid(), p
      from (values ('old', now() - interval '74 hours'), ('barely', now() - interval '72.5 hours')) e(c, p)`)
  expect(await forgetEvents(database, 72, 100)).toBe(false)
  expect(await database.query(sql`select key from outbox order by key`)).toEqual([
    { key: 'recent' },
    { key: 'waiting' },
  ])
  expect(await database.query(sql`select consumer from inbox`)).toEqual([{ consumer: 'barely' }])
})

test('forgetting takes some at once, and says when there may be more', async () => {
  await using database = await freshDatabase()
  await database.query(sql`
    insert into outbox (topic, key, type, data, occurred_at, published_at)
    select 'frontrow.balances', n::text, 'balance.charged', '{}', now(), now() - interval '9 days'
      from generate_series(1, 25) n`)
  const more: boolean[] = []
  do more.push(await forgetEvents(database, 72, 10))
  while (more.at(-1))
  expect(more).toEqual([true, true, false])
  expect(await database.query(sql`select key from outbox`)).toEqual([])
})
