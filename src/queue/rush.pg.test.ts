import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { Client, createConcert, type Answer, type Headers } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { expectInvariants } from '../../test/sale.ts'
import { operatorToken, startService } from '../../test/service.ts'
import { sql } from '../platform/postgres/sql.ts'
import { accessTokens } from '../users/access-token.ts'

const secret = 'a secret of the rush, long enough to be one'
const settings = { TOKEN_SECRET: secret, CLAIM_SECONDS: '1', SESSION_SECONDS: '2' }
const capacity = 150

test('2,000 fans through two instances: one number each, in by number, never more inside than fit', async () => {
  await using database = await freshDatabase()
  await using one = await startService(database.url, settings)
  await using two = await startService(database.url, settings)
  const clients = [new Client(one.url), new Client(two.url)] as const
  const operator = { authorization: `Bearer ${operatorToken}` }
  const { concertId } = await createConcert(clients[0], operatorToken, { capacity })
  const { sign } = accessTokens(secret, 3_600)
  const fans = Array.from({ length: 2_000 }, () => {
    const userId = randomUUID()
    return { userId, access: { authorization: `Bearer ${sign(userId).accessToken}` } }
  })
  const join = (client: Client, access: Headers) =>
    client.call('POST', `/v1/concerts/${concertId}/queue`, access)

  // What is inside, and whether the order was kept, at as many moments as the database can be asked.
  const over = new AbortController()
  const mostInside: number[] = []
  async function watchLine(): Promise<void> {
    while (!over.signal.aborted) {
      const [seen] = await database.query<{ inside: number; passed: number; ahead: number }>(sql`
        select count(*) filter (where p.active_until > clock_timestamp() and p.ended_at is null)::int as inside,
               count(*) filter (where p.number <= q.serving and p.active_until is null)::int as passed,
               count(*) filter (where p.number > q.serving and p.active_until is not null)::int as ahead
          from queues q
          join queue_places p using (concert_id)`)
      mostInside.push(seen!.inside)
      expect(seen).toMatchObject({ passed: 0, ahead: 0 })
    }
  }
  // Every third fan shows up; the others let their turn lapse.
  const tokens = new Map<number, string>()
  async function showUp(): Promise<void> {
    while (!over.signal.aborted) {
      const admitted = await database.query<{ number: number }>(sql`
        select number from queue_places
         where ended_at is null and claimed_at is null and active_until is not null and number % 3 = 0`)
      await Promise.all(
        admitted.map(({ number }) =>
          clients[number % 2]!.call('GET', '/v1/queue', { 'queue-token': tokens.get(number) ?? '' }),
        ),
      )
    }
  }
  const watching = Promise.all([watchLine(), showUp()])

  // Every tenth fan is impatient, and asks four times at once.
  const answers = await Promise.all(
    fans.map(async ({ access }, index) => {
      const times = index % 10 === 0 ? 4 : 1
      const all = await Promise.all(
        Array.from({ length: times }, (_, time) => join(clients[(index + time) % 2]!, access)),
      )
      for (const { body } of all) tokens.set(body['number'], body['token'])
      return all
    }),
  )

  const numberOf = ({ body }: Answer): number => body['number']
  expect(answers.map((all) => new Set(all.map(numberOf)).size)).toEqual(answers.map(() => 1))
  const numbers = answers.map((all) => numberOf(all[0]!)).toSorted((a, b) => a - b)
  expect(numbers).toEqual(Array.from({ length: 2_000 }, (_, index) => index + 1))
  const created = answers.flatMap((all) => all.filter(({ status }) => status === 201))
  expect(created).toHaveLength(2_000)

  // Nobody else is let in before the first have let their turn lapse or used their time up.
  const serving = async () => {
    const [line] = await database.query<{ serving: number }>(sql`select serving from queues`)
    return line!.serving
  }
  await expect.poll(serving, { timeout: 30_000 }).toBeGreaterThan(3 * capacity)
  const reasons = await database.query<{ end_reason: string; showed_up: boolean }>(sql`
    select distinct end_reason, claimed_at is not null as showed_up
      from queue_places where ended_at is not null order by end_reason`)
  expect(reasons).toEqual([
    { end_reason: 'expired', showed_up: true },
    { end_reason: 'no-show', showed_up: false },
  ])
  over.abort()
  await watching
  expect(Math.max(...mostInside)).toBeLessThanOrEqual(capacity)
  expect(Math.max(...mostInside)).toBeGreaterThan(capacity / 2)

  await clients[1].call('PATCH', `/v1/operator/concerts/${concertId}/queue`, operator, { capacity: 5_000 })
  await expect.poll(serving, { timeout: 30_000 }).toBe(2_000)
  await expectInvariants(database)
  await Promise.all(clients.map((client) => client.close()))
})

test('who asks after another has been answered stands behind them, whichever instance answered', async () => {
  await using database = await freshDatabase()
  await using one = await startService(database.url, { TOKEN_SECRET: secret })
  await using two = await startService(database.url, { TOKEN_SECRET: secret })
  const clients = [new Client(one.url), new Client(two.url)] as const
  const { concertId } = await createConcert(clients[0], operatorToken, { capacity: 1 })
  const { sign } = accessTokens(secret, 3_600)
  const join = async (client: Client): Promise<number> => {
    const access = { authorization: `Bearer ${sign(randomUUID()).accessToken}` }
    const { body } = await client.call('POST', `/v1/concerts/${concertId}/queue`, access)
    return body['number']
  }

  const crowd = Promise.all(Array.from({ length: 300 }, (_, index) => join(clients[index % 2]!)))
  const inTurn: number[] = []
  for (let turn = 0; turn < 30; turn++) inTurn.push(await join(clients[turn % 2]!))
  await crowd
  expect(inTurn).toEqual(inTurn.toSorted((a, b) => a - b))
  await Promise.all(clients.map((client) => client.close()))
})
