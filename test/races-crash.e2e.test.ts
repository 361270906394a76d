import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sql } from '../src/platform/postgres/sql.ts'
import { Client, createConcert, Fan, type Answer } from './client.ts'
import { freshDatabase } from './database.ts'
import { expectInvariants } from './sale.ts'
import { operatorToken, startService } from './service.ts'
import { all, twoInstances } from './two-instances.ts'

const price = 10_000
const seats = 400

test('while connections are cut in the middle of statements, no success is lost and no repeat has a second effect', async () => {
  await using two = await twoInstances({ LOG_LEVEL: 'silent' })
  const { database } = two
  const { concertId, showIds } = await createConcert(two.clients[0], operatorToken, {
    shows: [{ seats, price }],
  })
  const fans = await all(24, async (index) => {
    const fan = await Fan.signUp(two.instance(index))
    await fan.join(concertId)
    return fan
  })

  const failures: Answer[] = []
  /** Asks until there is an answer, as a client does that was told to come back. */
  const insist = async (call: () => Promise<Answer>): Promise<Answer> => {
    for (;;) {
      const answer = await call()
      if (answer.status < 500) return answer
      failures.push(answer)
      await sleep(5)
    }
  }

  const cutting = new AbortController()
  const charged: Answer[] = []
  const held: Answer[] = []
  const cancelled: string[] = []
  const paid: Answer[] = []
  const buying = all(fans.length, async (index) => {
    const fan = fans[index]!
    for (let round = 0; !cutting.signal.aborted; round++) {
      const key = (what: string) => `${what}-${round}`
      const here = two.as(fan, index + round)
      charged.push(await insist(() => here.charge(2 * price, key('charge'))))
      // Neighbours want some of the same seats.
      const seat = 1 + ((index * 3 + round * 31) % (seats - 1))
      const hold = await insist(() => here.hold(showIds[0]!, [seat, seat + 1], key('hold')))
      if (hold.status !== 201) continue
      held.push(hold)
      const { reservationId } = hold.body as { reservationId: string }
      if (round % 2 === 0) {
        // There is no key for it, but what a repeat finds cancelled is cancelled.
        await insist(() => here.cancel(reservationId))
        cancelled.push(reservationId)
        continue
      }
      const payment = await insist(() => here.pay(reservationId, key('pay')))
      paid.push(payment)
      await insist(() => here.join(concertId))
      fan.queueToken = here.queueToken
    }
  })

  for (let cut = 0; cut < 40 || paid.length < 10 || cancelled.length < 10;) {
    const victims = await database.query(sql`
      select pg_terminate_backend(pid)
        from pg_stat_activity
       where datname = current_database() and application_name = 'frontrow' and pid <> pg_backend_pid()
         and state = 'active'
       order by random() limit 1`)
    cut += victims.length
    await sleep(10)
  }
  cutting.abort()
  await buying

  // Business was done although calls failed, and a failure said no more than that it was one.
  expect(failures.length).toBeGreaterThan(0)
  expect(new Set(failures.map(({ status, body }) => `${status} ${body['code']}`))).toEqual(
    new Set(['503 unavailable']),
  )
  expect([charged, held, cancelled, paid].map(({ length }) => length > 0)).toEqual([true, true, true, true])

  // What was told is what there is, no more and no less.
  const ids = (answers: Answer[], name: string) => answers.map(({ body }) => body[name] as string)
  const references = await database.query<{ reference: string }>(sql`select reference from balance_entries`)
  expect(references.map(({ reference }) => reference).toSorted()).toEqual(
    [...ids(charged, 'chargeId'), ...ids(paid, 'paymentId')].toSorted(),
  )
  const reservations = await database.query<{ id: string; state: string }>(
    sql`select id, state from reservations`,
  )
  const inState = (...states: string[]) =>
    reservations
      .filter(({ state }) => states.includes(state))
      .map(({ id }) => id)
      .toSorted()
  expect(inState('held', 'paid', 'cancelled', 'expired')).toEqual(ids(held, 'reservationId').toSorted())
  expect(inState('paid')).toEqual(ids(paid, 'reservationId').toSorted())
  expect(inState('cancelled')).toEqual(cancelled.toSorted())
  await expectInvariants(database)
})

test('a race that is lost again and again is no bug of the caller or ours: come back', async () => {
  await using database = await freshDatabase()
  await database.query(sql`
    create function lose() returns trigger language plpgsql as $$
      begin raise unique_violation; end $$`)
  await database.query(sql`create trigger losing before insert on reservations execute function lose()`)
  await using service = await startService(database.url, { LOG_LEVEL: 'silent' })
  const client = new Client(service.url)
  const { concertId, showIds } = await createConcert(client, operatorToken)
  const fan = await Fan.signUp(client)
  await fan.join(concertId)
  const answer = await fan.hold(showIds[0]!, [1])
  expect(answer.body).toMatchObject({ status: 503, code: 'unavailable' })
  expect(answer.headers['retry-after']).toBeDefined()
  await client.close()
})
