import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'

/** Held on the server by the one service that owns it; any number that is used for nothing else there. */
const ownershipLock = 7_340_291

/** The kernel closes a killed service's connection at once, but the server may take a moment to see it. */
const patienceMs = 2_000
const pauseMs = 50

/** Takes the server for this service, as long as `client` is connected; false when another service holds it. */
export async function takeOwnership(client: Client): Promise<boolean> {
  const enough = AbortSignal.timeout(patienceMs)
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [
      ownershipLock,
    ])
    if (rows[0]?.taken === true) return true
    if (enough.aborted) return false
    await sleep(pauseMs)
  }
}

/** The name of the connection that holds the server, which says its process. */
export async function readOwner(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ owner: string }>(
    `select a.application_name as owner
       from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and l.objid = $1`,
    [ownershipLock],
  )
  return rows[0]?.owner
}
