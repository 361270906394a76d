import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { chargeBalance } from '../src/balance/charge-balance.ts'
import { checkInvariants } from '../src/operator/check-invariants.ts'
import { createConcert } from '../src/operator/create-concert.ts'
import type { Database } from '../src/platform/postgres/database.ts'
import { sql, type Statement } from '../src/platform/postgres/sql.ts'
import type { PayRequest } from '../src/payments/pay-reservation.ts'
import type { HoldRequest } from '../src/reservations/hold-seats.ts'
import { signUp } from '../src/users/sign-up.ts'

export const price = 10_000

/** A show on sale, made without the service: for tests that call the statements themselves. */
export async function addShow(
  database: Database,
  seats = 10,
): Promise<{ concertId: number; showId: number }> {
  const hourMs = 3_600_000
  const concertId = await createConcert(database, {
    title: 'A concert of the tests',
    artist: 'Test Ensemble',
    venue: 'Test Hall',
    saleOpensAt: new Date(Date.now() - hourMs),
    saleClosesAt: new Date(Date.now() + 24 * hourMs),
    queue: { capacity: undefined, ratePerSecond: undefined },
    shows: [{ startsAt: new Date(Date.now() + 48 * hourMs), seats: [{ from: 1, to: seats, price }] }],
  })
  const [show] = await database.query<{ id: number }>(
    sql`select id from shows where concert_id = ${concertId}`,
  )
  return { concertId, showId: show!.id }
}

/** A fan with that much won. */
export async function addFan(database: Database, won = 0): Promise<string> {
  const { userId } = await signUp(database)('fan')
  if (won > 0) await chargeBalance(database)({ userId, amount: won, idempotency: undefined })
  return userId
}

/** A request to hold, in the words of the statement. */
export function wish(
  show: { concertId: number; showId: number },
  userId: string,
  seats: number[],
  key?: string,
): HoldRequest {
  return { ...show, userId, seats, queueNumber: 1, idempotency: keyed(key, ['hold', show.showId, seats]) }
}

/** A request to pay, in the words of the statement. */
export function bill(concertId: number, userId: string, reservationId: string, key?: string): PayRequest {
  return {
    userId,
    concertId,
    queueNumber: 1,
    reservationId,
    idempotency: keyed(key, ['pay', reservationId]),
  }
}

function keyed(key: string | undefined, content: unknown[]) {
  return key === undefined ? undefined : { key, fingerprint: JSON.stringify(content) }
}

/** Resolves once the database's clock has reached `time`. */
export async function reach(database: Database, time: Date): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ left: number }>(sql`
      select (extract(epoch from ${time}::timestamptz - clock_timestamp()) * 1000)::float8 as left`)
    if (row!.left <= 0) return
    await sleep(Math.ceil(row!.left))
  }
}

/** Resolves once that many statements of this database wait for a lock that another transaction has. */
export async function waitingForLocks(database: Database, count: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const [row] = await database.query<{ waiting: number }>(sql`
          select count(*)::int as waiting from pg_stat_activity
           where datname = current_database() and wait_event_type = 'Lock'`)
        return row!.waiting
      },
      { interval: 5, timeout: 10_000 },
    )
    .toBe(count)
}

/** A transaction of one's own that stays open, with its locks, until it is released (rolled back) or committed. */
export async function standInTheWay(database: Database, ...statements: Statement[]) {
  const client = await database.connect()
  let isOpen = true
  const end = async (how: 'commit' | 'rollback') => {
    if (!isOpen) return
    isOpen = false
    await client.query(how)
    client.release()
  }
  await client.query('begin')
  for (const { text, values } of statements) await client.query(text, values)
  return {
    release: () => end('rollback'),
    commit: () => end('commit'),
    [Symbol.asyncDispose]: () => end('rollback'),
  }
}

/** Fails with the promises that the database does not keep. */
export async function expectInvariants(database: Database): Promise<void> {
  expect((await checkInvariants(database)).filter(({ holds }) => !holds)).toEqual([])
}

export const newId = (): string => randomUUID()
