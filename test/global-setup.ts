import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { openEmbeddedPostgres } from '../src/embedded/postgres.ts'
import { openDatabase } from '../src/platform/postgres/database.ts'
import { migrate } from '../src/platform/postgres/migrate.ts'
import { buildPages } from '../web/build.ts'
import { unpackChromium } from './pages/chromium.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server that every test file makes its own databases on. */
    postgresUrl: string
    templateDatabase: string
  }
}

const templateDatabase = 'frontrow_template'

/** Starts one real PostgreSQL for all tests, with a migrated database to clone: a clone takes some 30 ms. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Both cost nothing from the second time on, and would get into each other's way in two workers at once.
  await Promise.all([buildPages(), unpackChromium()])
  const folder = await mkdtemp(join(tmpdir(), 'frontrow-test-'))
  const server = await openEmbeddedPostgres({ folder, password: 'test-only' })
  const admin = openDatabase({
    url: server.databaseUrl,
    poolMax: 1,
    statementTimeoutMs: 30_000,
    onError: () => {},
  })
  const client = await admin.connect()
  await client.query(`create database ${templateDatabase}`)
  client.release()
  await admin.close()

  const url = new URL(server.databaseUrl)
  url.pathname = `/${templateDatabase}`
  const template = openDatabase({ url: url.href, poolMax: 1, statementTimeoutMs: 30_000, onError: () => {} })
  await migrate(template, join(import.meta.dirname, '..', 'migrations'))
  await template.close()

  project.provide('postgresUrl', server.databaseUrl)
  project.provide('templateDatabase', templateDatabase)
  return async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  }
}
