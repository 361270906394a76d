import { expect, test } from 'vitest'
import { Client, createConcert, Fan, type Answer } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { operatorToken, startService } from '../../test/service.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { Consumer } from './bus.ts'

const patiently = { interval: 20, timeout: 15_000 }
const operator = { authorization: `Bearer ${operatorToken}` }

/** A consumer whose effect is one row per event, and which fails for as long as it is told to. */
function failing(name: string, trouble: { message: string | undefined }): Consumer {
  return {
    name,
    types: ['balance.charged'],
    effect: 'transactional',
    async handle(events, tx) {
      for (const { id } of events) {
        await tx.query(sql`insert into effects (event_id) values (${id})`)
        if (trouble.message !== undefined) throw new Error(trouble.message)
      }
    },
  }
}

const list = (client: Client, query = '') => client.call('GET', `/v1/operator/dead-letters${query}`, operator)
const replay = (client: Client, deadLetterId: number | string): Promise<Answer> =>
  client.call('POST', `/v1/operator/dead-letters/${deadLetterId}/replay`, operator)

test('an event that a consumer cannot deal with waits for the operator, who gives it again: one effect', async () => {
  await using database = await freshDatabase()
  await database.query(sql`create table effects (event_id uuid not null)`)
  const trouble: { message: string | undefined } = { message: 'the other side is closed' }
  await using service = await startService(
    database.url,
    { LOG_LEVEL: 'fatal' },
    { consumers: [failing('picky', trouble)] },
  )
  const client = new Client(service.url)
  const { concertId } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)
  await fan.charge(1_000)

  await expect.poll(async () => (await list(client)).body['deadLetters'], patiently).toHaveLength(1)
  const { body } = await list(client)
  const letter = body['deadLetters'][0]
  expect(letter).toMatchObject({
    consumer: 'picky',
    event: { type: 'balance.charged', subject: fan.userId, data: { amount: 1_000 } },
    error: 'the other side is closed',
    attempts: 5,
    failedAt: expect.stringMatching(/Z$/),
  })
  expect(body['nextCursor']).toBeNull()
  expect(await database.query(sql`select * from effects`)).toEqual([])
  // The others are not kept waiting by it, nor is what comes after.
  expect((await fan.join(concertId)).body['status']).toBe('active')

  trouble.message = 'it is closed still'
  expect((await replay(client, letter.deadLetterId)).body).toEqual({
    deadLetterId: letter.deadLetterId,
    replayed: false,
    error: 'it is closed still',
  })
  expect((await list(client)).body['deadLetters']).toMatchObject([
    { deadLetterId: letter.deadLetterId, error: 'it is closed still', attempts: 6 },
  ])

  trouble.message = undefined
  const answers = await Promise.all(Array.from({ length: 5 }, () => replay(client, letter.deadLetterId)))
  const replayed = answers.filter(({ status }) => status === 200)
  expect(replayed.map(({ body }) => [body['replayed'], body['error']])).toEqual(
    replayed.map(() => [true, null]),
  )
  expect(replayed.length).toBeGreaterThan(0)
  expect(await database.query(sql`select event_id from effects`)).toEqual([{ event_id: letter.event.id }])
  expect((await list(client)).body['deadLetters']).toEqual([])
  expect(await replay(client, letter.deadLetterId)).toMatchObject({
    status: 404,
    body: { code: 'dead-letter-not-found' },
  })
  await client.close()
})

test('dead letters are listed in pages, oldest first, and are nobody’s business but the operator’s', async () => {
  await using database = await freshDatabase()
  await database.query(sql`
    insert into dead_letters (consumer, event_id, event, error, attempts)
    select 'gone', id, jsonb_build_object('id', id, 'type', 'balance.charged', 'subject', 's', 'time', now()), 'why', n
      from generate_series(1, 7) n, lateral (select lpad(n::text, 32, '0')::uuid as id) i`)
  await using service = await startService(database.url)
  const client = new Client(service.url)

  const attempts: number[] = []
  let cursor: string | null = null
  do {
    const { body }: Answer = await list(client, `?limit=3${cursor ? `&cursor=${cursor}` : ''}`)
    expect(body['deadLetters'].length).toBeLessThanOrEqual(3)
    attempts.push(...body['deadLetters'].map((letter: { attempts: number }) => letter.attempts))
    cursor = body['nextCursor']
  } while (cursor)
  expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7])

  // Of a consumer that is not there any more, or of none at all, nothing can be given to anyone.
  for (const unknown of [1, 999, 0, '9007199254740991']) {
    expect((await replay(client, unknown)).body['code']).toBe('dead-letter-not-found')
  }
  for (const nonsense of ['one', '1.5', '-']) expect((await replay(client, nonsense)).status).toBe(400)
  expect((await list(client, '?cursor=nonsense')).status).toBe(400)
  const fan = await Fan.signUp(client)
  for (const [headers, status] of [
    [{}, 401],
    [fan.access, 403],
  ] as const) {
    const refused = await client.call('GET', '/v1/operator/dead-letters', headers)
    expect(refused.status).toBe(status)
    expect((await client.call('POST', '/v1/operator/dead-letters/1/replay', headers)).status).toBe(status)
  }
  await client.close()
})
