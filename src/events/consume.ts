import pRetry from 'p-retry'
import { limits } from '../limits.ts'
import { isUnavailable, type Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { Consumer } from './bus.ts'
import type { Event } from './event.ts'

/** Tries after the first, with twice the pause each time: about two seconds before an event is put aside. */
const retries = 4
const firstPauseMs = 100

export type ConsumeOptions = {
  signal: AbortSignal
  onRetry: (consumer: string, event: Event, error: Error) => void
  onDeadLetter: (consumer: string, event: Event, error: Error) => void
}

/** Gives a consumer the events it has not dealt with yet, and marks them with its effect. */
export async function handleOnce(database: Database, consumer: Consumer, events: Event[]): Promise<void> {
  if (consumer.effect === 'idempotent') return consumer.handle(events)
  await database.transaction(async (tx) => {
    const marked = await tx.query<{ event_id: string }>(sql`
      insert into inbox (consumer, event_id)
      select ${consumer.name}, event_id
        from unnest(${events.map((event) => event.id)}::uuid[]) as e(event_id)
       order by event_id
          on conflict do nothing
      returning event_id`)
    const fresh = new Set(marked.map((row) => row.event_id))
    const unhandled = events.filter((event) => fresh.has(event.id))
    if (unhandled.length > 0) await consumer.handle(unhandled, tx)
  })
}

/**
 * Brings a batch of events to a consumer: all at once, and if that fails one by one with back-off, so that only the
 * event at fault is put aside as a dead letter. Rejects, and nothing is lost, while the database is away.
 */
export async function consume(
  database: Database,
  consumer: Consumer,
  events: Event[],
  { signal, onRetry, onDeadLetter }: ConsumeOptions,
): Promise<void> {
  const wanted = events.filter((event) => consumer.types.includes(event.type))
  if (wanted.length === 0) return
  try {
    return await handleOnce(database, consumer, wanted)
  } catch (error) {
    if (isUnavailable(error)) throw error
  }
  for (const event of wanted) {
    try {
      await pRetry(() => handleOnce(database, consumer, [event]), {
        retries,
        minTimeout: firstPauseMs,
        factor: 2,
        signal,
        shouldRetry: ({ error }) => !isUnavailable(error),
        onFailedAttempt: ({ error }) => onRetry(consumer.name, event, error),
      })
    } catch (failure) {
      const error = failure instanceof Error ? failure : new Error(String(failure))
      if (signal.aborted || isUnavailable(error)) throw error
      await putAside(database, consumer, event, error)
      onDeadLetter(consumer.name, event, error)
    }
  }
}

/** What is kept of a failure: some lines, and what PostgreSQL's text can hold. */
export function describe(failure: unknown): string {
  const message = failure instanceof Error ? failure.message : String(failure)
  return message.replaceAll('\0', '').slice(0, limits.errorText)
}

async function putAside(database: Database, consumer: Consumer, event: Event, error: Error): Promise<void> {
  await database.query(sql`
    insert into dead_letters (consumer, event_id, event, error, attempts)
    values (${consumer.name}, ${event.id}, ${JSON.stringify(event)}::jsonb, ${describe(error)}, ${retries + 1})
        on conflict (consumer, event_id) do update
       set error = excluded.error, attempts = dead_letters.attempts + excluded.attempts,
           failed_at = now(), replayed_at = null`)
}
