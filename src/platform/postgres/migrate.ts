import { join } from 'node:path'
import Postgrator from 'postgrator'
import { StartFailure } from '../start-failure.ts'
import type { Database } from './database.ts'

/** Any number that no other use of advisory locks in this database has. */
const migrationLock = 7_366_001

/**
 * Brings the tables to the newest version of `folder` (numbered SQL, forward only). Instances that start together
 * take turns; all steps commit together or not at all.
 */
export async function migrate(database: Database, folder: string): Promise<void> {
  const client = await database.connect()
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [migrationLock])
    const postgrator = new Postgrator({
      driver: 'pg',
      // The library takes a glob; a folder's own name may hold glob characters.
      migrationPattern: join(folder.replaceAll(/[[\]{}()*?!\\]/g, '\\$&'), '*.sql'),
      schemaTable: 'schema_version',
      execQuery: (query) => client.query(query),
    })
    const [present, newest] = [await postgrator.getDatabaseVersion(), await postgrator.getMaxVersion()]
    if (present > newest) throw otherVersion(`its tables are of version ${present}, this one knows ${newest}`)
    await postgrator.migrate()
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new Error(`migration ended with ${command}`)
  } catch (error) {
    await client.query('rollback')
    // The library has no kinds of error, only words.
    if (error instanceof Error && error.message.startsWith('MD5 checksum failed'))
      throw otherVersion(error.message)
    throw error
  } finally {
    client.release()
  }
}

function otherVersion(why: string): StartFailure {
  return new StartFailure(
    `The database was made by another version of Frontrow (${why}). Start that version, or give this one an empty database.`,
  )
}
