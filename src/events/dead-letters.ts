import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { page } from '../platform/http/paging.ts'
import { problem } from '../problems.ts'
import type { Consumer } from './bus.ts'
import { describe, handleOnce } from './consume.ts'
import type { Event } from './event.ts'

export type DeadLetter = {
  deadLetterId: number
  consumer: string
  event: Event
  error: string
  attempts: number
  failedAt: Date
}

type DeadLetterRow = {
  id: number
  consumer: string
  event: Event
  error: string
  attempts: number
  failed_at: Date
}

function toDeadLetter(row: DeadLetterRow): DeadLetter {
  return {
    deadLetterId: row.id,
    consumer: row.consumer,
    event: row.event,
    error: row.error,
    attempts: row.attempts,
    failedAt: row.failed_at,
  }
}

/** A page of the events that a consumer could not deal with and nobody has replayed yet, oldest first. */
export async function listDeadLetters(database: Database, after: number | undefined, limit: number) {
  const rows = await database.query<DeadLetterRow>(sql`
    select id, consumer, event, error, attempts, failed_at
      from dead_letters
     where replayed_at is null and id > ${after ?? 0}::bigint
     order by id
     limit ${limit + 1}`)
  const { shown, nextCursor } = page(rows, limit, (row) => [row.id])
  return { deadLetters: shown.map(toDeadLetter), nextCursor }
}

/**
 * Gives a dead letter to its consumer again. The answer says whether that worked; a failure is kept with the letter.
 * Its effect happens once, whatever has happened since: the inbox knows.
 */
export async function replayDeadLetter(
  database: Database,
  consumers: Consumer[],
  deadLetterId: number,
): Promise<{ deadLetterId: number; replayed: boolean; error: string | null }> {
  const [row] = await database.query<DeadLetterRow>(sql`
    select id, consumer, event, error, attempts, failed_at
      from dead_letters
     where id = ${deadLetterId} and replayed_at is null`)
  const consumer = consumers.find(({ name }) => name === row?.consumer)
  if (!row || !consumer) throw problem('dead-letter-not-found')
  try {
    await handleOnce(database, consumer, [row.event])
  } catch (failure) {
    const error = describe(failure)
    await database.query(sql`
      update dead_letters set error = ${error}, attempts = attempts + 1, failed_at = now() where id = ${deadLetterId}`)
    return { deadLetterId, replayed: false, error }
  }
  await database.query(sql`update dead_letters set replayed_at = now() where id = ${deadLetterId}`)
  return { deadLetterId, replayed: true, error: null }
}
