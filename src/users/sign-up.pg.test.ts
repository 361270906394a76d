import { expect, test } from 'vitest'
import { Client, Fan } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { expectInvariants } from '../../test/sale.ts'
import { startService } from '../../test/service.ts'
import { sql } from '../platform/postgres/sql.ts'

test('many sign up at once, each a fan of their own with an empty balance and a token that works', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  const names = Array.from({ length: 300 }, (_, index) => `fan ${index} 팬 🎟`)
  const answers = await Promise.all(names.map((name) => client.call('POST', '/v1/users', {}, { name })))
  expect(answers.map(({ status, body }) => [status, body['name']])).toEqual(names.map((name) => [201, name]))
  expect(new Set(answers.map(({ body }) => body['userId'])).size).toBe(300)
  const [stored] = await database.query<{ users: number; balances: number }>(sql`
    select count(*)::int as users, count(b.user_id)::int as balances
      from users u left join balances b on b.user_id = u.id and b.amount = 0`)
  expect(stored).toEqual({ users: 300, balances: 300 })
  const { body } = answers[7]!
  const balance = await client.call('GET', `/v1/users/${body['userId']}/balance`, {
    authorization: `bearer  ${body['accessToken']}`,
  })
  expect(balance).toMatchObject({ status: 200, body: { userId: body['userId'], balance: 0 } })
  expect(Date.parse(body['accessTokenExpiresAt'])).toBeGreaterThan(Date.now())
  await expectInvariants(database)
  await client.close()
})

test('a name must be a line of text that a person can read', async () => {
  await using database = await freshDatabase()
  await using service = await startService(database.url)
  const client = new Client(service.url)
  for (const name of ['', ' ', 'a\nb', 'a\u0000b', '\u001b[31m', 'x'.repeat(201), 7, null, ['fan']]) {
    expect(await client.call('POST', '/v1/users', {}, { name })).toMatchObject({
      status: 400,
      body: { code: 'invalid-request' },
    })
  }
  expect((await client.call('POST', '/v1/users', {}, { name: 'fan', userId: 'mine' })).status).toBe(400)
  expect(await database.query(sql`select id from users`)).toEqual([])
  await client.close()
})

test('where signing up is off nobody can, and who has a token is let in all the same', async () => {
  await using database = await freshDatabase()
  await using open = await startService(database.url)
  await using closed = await startService(database.url, { SIGN_UP: 'off' })
  const clients = [new Client(open.url), new Client(closed.url)] as const
  const fan = await Fan.signUp(clients[0])
  expect(await clients[1].call('POST', '/v1/users', {}, { name: 'fan' })).toMatchObject({
    status: 403,
    body: { code: 'sign-up-off' },
  })
  expect((await fan.through(clients[1]).balance()).status).toBe(200)
  expect(await database.query(sql`select id from users`)).toHaveLength(1)
  await Promise.all(clients.map((client) => client.close()))
})
