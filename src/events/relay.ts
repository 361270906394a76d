import type pg from 'pg'
import { startLoop, type Loop } from '../platform/loop.ts'
import type { Database } from '../platform/postgres/database.ts'
import type { Bus } from './bus.ts'
import { toEvent, type OutboxRow } from './event.ts'

/** Any number that no other use of advisory locks in this database has. */
const relayLock = 7_366_002
/** Events that one pass publishes. */
const batch = 500
/** How soon rows that another instance wrote are seen, and how soon a dead relay is replaced. */
const restMs = 200
/** Rows that are written meanwhile go together: less work per row under load, still no wait to speak of. */
const gatherMs = 20

/**
 * Lets the server find out within half a minute that this machine is gone without a word, and give up the lock: by its
 * defaults that takes two hours.
 */
const noticeDeath = `
  select set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false),
         set_config('tcp_keepalives_count', '3', false)`

export type Relay = {
  /** Says that rows were written just now. */
  wake: () => void
  done: Promise<void>
}

/**
 * Moves committed events from the outbox to the bus. One relay works at a time over all instances: it holds a session
 * lock, and does everything on that session, so one that lost the lock can mark nothing.
 *
 * It reads what is unpublished, in order of position. Of two rows of one key the later has the higher position,
 * because it was written under the lock that the earlier one released; rows of different keys may commit in any
 * order, so there is no cursor that could step over the slower one.
 */
export function startRelay(options: {
  database: Database
  bus: Bus
  signal: AbortSignal
  onPublished: (count: number) => void
  onError: (error: unknown, failures: number) => void
}): Relay {
  const { database, bus, signal, onPublished, onError } = options
  let client: pg.PoolClient | undefined
  let gathering: NodeJS.Timeout | undefined

  function letGo(error?: Error): void {
    client?.release(error ?? true)
    client = undefined
  }

  /** Takes the lock; false while another relay has it. */
  async function lead(): Promise<boolean> {
    if (client) return true
    const candidate = await database.connect()
    try {
      const { rows } = await candidate.query<{ leads: boolean }>('select pg_try_advisory_lock($1) as leads', [
        relayLock,
      ])
      if (rows[0]?.leads) {
        // A mark that a crash forgets means delivering again, which consumers are made for: no need to wait for the disk.
        await candidate.query('set synchronous_commit = off')
        await candidate.query(noticeDeath)
        client = candidate
        // A connection may break more than once; by then another may have taken its place.
        candidate.on('error', (error) => {
          if (client === candidate) letGo(error)
        })
        return true
      }
    } catch (error) {
      candidate.release(true)
      throw error
    }
    candidate.release()
    return false
  }

  async function work(): Promise<boolean> {
    if (!(await lead()) || !client) return false
    try {
      const { rows } = await client.query<OutboxRow>({
        name: 'relay-read',
        text: `select position, event_id, key, type, data, occurred_at
                 from outbox
                where published_at is null
                order by position
                limit $1`,
        values: [batch],
      })
      if (rows.length === 0) return false
      await bus.publish(rows.map(toEvent))
      await client.query({
        name: 'relay-mark',
        text: 'update outbox set published_at = now() where position = any($1::bigint[]) and published_at is null',
        values: [rows.map((row) => row.position)],
      })
      onPublished(rows.length)
      return rows.length === batch
    } catch (error) {
      letGo(error instanceof Error ? error : undefined)
      throw error
    }
  }

  const loop: Loop = startLoop({ work, restMs, signal, onError })
  return {
    wake() {
      gathering ??= setTimeout(() => {
        gathering = undefined
        loop.wake()
      }, gatherMs)
    },
    done: loop.done.then(async () => {
      clearTimeout(gathering)
      // Given up in words, so that the next relay need not wait until the server notices. A connection that is gone has
      // given it up already.
      await client?.query('select pg_advisory_unlock($1)', [relayLock]).catch(() => {})
      letGo()
    }),
  }
}
