import type { Client } from 'pg'
import type { Cluster, Postmaster } from './cluster.ts'
import { reachPostmaster } from './reach-postmaster.ts'
import { takeOwnership } from './take-ownership.ts'

/** How long the server may take to answer again after it dropped the owner's connection. */
const regainMs = 10_000

export type Ownership = {
  /** Settles when the server was lost while it was in use, with the reason; never rejects. */
  lost: Promise<Error>
  /** Lets go: runs `stop` if the server is still ours, under the lock, so that nobody takes over one that is going. */
  end: (stop: () => Promise<void>) => Promise<void>
}

/**
 * Keeps the lock that `client` holds. When one of its processes crashes, the server drops every connection and the
 * lock with it, and is back in a moment: the lock is then taken again.
 */
export function keepOwnership(cluster: Cluster, postmaster: Postmaster, first: Client): Ownership {
  const { home, onNotice } = cluster
  const lost = Promise.withResolvers<Error>()
  let client = first
  let isOurs = true
  let ending = false
  let regaining: Promise<void> | undefined

  function hold(connected: Client): void {
    client = connected
    client.once('end', () => {
      if (!ending) regaining = regain()
    })
  }

  async function regain(): Promise<void> {
    const connected = await reachPostmaster(postmaster, cluster, regainMs).catch(() => undefined)
    const taken = connected && (await takeOwnership(connected).catch(() => undefined))
    if (taken && !ending) {
      hold(connected)
      onNotice('PostgreSQL dropped its connections and is back.')
      return
    }
    await connected?.end()
    isOurs = taken !== false
    const fate = isOurs ? 'has ended or answers no more' : 'was taken over by another Frontrow'
    if (!ending) lost.resolve(new Error(`PostgreSQL in ${home} (process ${postmaster.pid}) ${fate}.`))
  }

  hold(first)
  return {
    lost: lost.promise,
    async end(stop) {
      ending = true
      if (isOurs) await stop()
      await client.end()
      await regaining
    },
  }
}
