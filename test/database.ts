import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { openDatabase, type Database } from '../src/platform/postgres/database.ts'

export type TestDatabase = Database & { url: string; [Symbol.asyncDispose]: () => Promise<void> }

/** A migrated, empty database of one's own on the tests' server; dropped when disposed, whoever is still connected. */
export async function freshDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await onServer(`create database ${name} template ${inject('templateDatabase')}`)
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  const database = openDatabase({ url: url.href, poolMax: 8, statementTimeoutMs: 30_000, onError: () => {} })
  return {
    ...database,
    url: url.href,
    async [Symbol.asyncDispose]() {
      await database.close()
      await onServer(`drop database if exists ${name} with (force)`)
    },
  }
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
