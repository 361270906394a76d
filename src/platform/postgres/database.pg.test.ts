import { expect, test } from 'vitest'
import { freshDatabase } from '../../../test/database.ts'
import { isRetryable, isUnavailable, openDatabase, type Tx } from './database.ts'
import { sql } from './sql.ts'

const notes = (tx: Tx) => tx.query<{ text: string }>(sql`select text from note order by text`)

test('a transaction commits what was done when its work resolves, and nothing when it rejects', async () => {
  await using database = await freshDatabase()
  await database.query(sql`create table note (text text primary key)`)
  const done = await database.transaction(async (tx) => {
    await tx.query(sql`insert into note values ('kept')`)
    return 'done'
  })
  expect(done).toBe('done')
  const failing = database.transaction(async (tx) => {
    await tx.query(sql`insert into note values ('lost')`)
    throw new Error('changed my mind')
  })
  await expect(failing).rejects.toThrow('changed my mind')
  expect(await notes(database)).toEqual([{ text: 'kept' }])
})

test('a transaction that PostgreSQL rolled back at COMMIT is a failure, not a success', async () => {
  await using database = await freshDatabase()
  await database.query(sql`create table note (text text primary key)`)
  const hushed = database.transaction(async (tx) => {
    await tx.query(sql`insert into note values ('lost')`)
    // Whoever swallows a failed statement goes on in a transaction that can only roll back.
    await tx.query(sql`insert into note values ('lost')`).catch(() => {})
  })
  await expect(hushed).rejects.toThrow('transaction ended with ROLLBACK')
  expect(await notes(database)).toEqual([])
})

test('a connection that dies between two statements of a transaction fails that transaction only', async () => {
  await using database = await freshDatabase()
  await database.query(sql`create table note (text text primary key)`)
  const { promise: used, resolve: use } = Promise.withResolvers<{ tx: Tx; pid: number }>()
  const { promise: goOn, resolve: end } = Promise.withResolvers<void>()
  const transaction = database.transaction(async (tx) => {
    await tx.query(sql`insert into note values ('lost')`)
    const [session] = await tx.query<{ pid: number }>(sql`select pg_backend_pid() as pid`)
    use({ tx, pid: session!.pid })
    await goOn
    await tx.query(sql`insert into note values ('lost, too')`)
  })
  const { tx, pid } = await used
  await database.query(sql`select pg_terminate_backend(${pid}, 5000)`)
  // Nothing listens to a connection between two statements but what keeps the process alive.
  await expect.poll(() => tx.query(sql`select 1`).catch(isUnavailable)).toBe(true)
  end()
  expect(await transaction.catch(isUnavailable)).toBe(true)
  expect(await notes(database)).toEqual([])
})

test('a lost race may be run again, and a broken rule may not', async () => {
  await using database = await freshDatabase()
  await database.query(sql`create table note (text text primary key check (text <> 'forbidden'))`)
  await database.query(sql`insert into note values ('taken')`)
  const lost: unknown = await database.query(sql`insert into note values ('taken')`).catch((error) => error)
  expect([isRetryable(lost), isUnavailable(lost)]).toEqual([true, false])
  const broken: unknown = await database
    .query(sql`insert into note values ('forbidden')`)
    .catch((error) => error)
  expect([isRetryable(broken), isUnavailable(broken)]).toEqual([false, false])
})

test('a database that cannot be reached, or is closed, or takes too long is away', async () => {
  const options = { poolMax: 1, statementTimeoutMs: 50, onError: () => {} }
  const nowhere = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', ...options })
  expect(await nowhere.query(sql`select 1`).catch(isUnavailable)).toBe(true)
  await nowhere.close()

  await using database = await freshDatabase()
  const hasty = openDatabase({ url: database.url, ...options })
  expect(await hasty.query(sql`select pg_sleep(60)`).catch(isUnavailable)).toBe(true)
  await hasty.close()
  expect(await hasty.query(sql`select 1`).catch(isUnavailable)).toBe(true)
})

test('money is a number, and one that would lose a digit is a failure', async () => {
  await using database = await freshDatabase()
  expect(await database.query(sql`select 9007199254740991::bigint as won`)).toEqual([
    { won: 9_007_199_254_740_991 },
  ])
  await expect(database.query(sql`select 9007199254740992::bigint as won`)).rejects.toThrow('does not fit')
  expect(await database.query(sql`select 1 as one`)).toEqual([{ one: 1 }])
})

test('what is written between the braces is a value, whatever it looks like', async () => {
  await using database = await freshDatabase()
  const text = "'); drop table users; --"
  expect(await database.query(sql`select ${text}::text as text`)).toEqual([{ text }])
})

test('one place in the code is one prepared statement, and different texts are different ones', () => {
  const place = (value: number) => sql`select ${value}::int`
  expect(place(1)).toMatchObject({ name: place(2).name, text: 'select $1::int', values: [1] })
  expect(sql`select ${1}::bigint`.name).not.toBe(place(1).name)
})
