import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sql } from '../src/platform/postgres/sql.ts'
import { createConcert, Fan, type Answer } from './client.ts'
import { expectInvariants, reach } from './sale.ts'
import { operatorToken } from './service.ts'
import { twoInstances, type TwoInstances } from './two-instances.ts'

/** What a fan does next, and through which instance. `cancel`, `expire` and `pay` are about the latest hold. */
type Command = { does: 'hold' | 'cancel' | 'expire' | 'pay'; seats: number[]; through: number }

/** One call as the fan saw it. Its times are this machine's, which the database runs on, too. */
type Call = {
  does: Command['does']
  userId: string
  seats: number[]
  reservationId: string
  sentAt: Date
  answeredAt: Date
  answer: Answer
}

const seatsPerShow = 6
const limit = 4

const command = fc.record<Command>({
  does: fc.oneof(
    { weight: 8, arbitrary: fc.constant('hold' as const) },
    { weight: 3, arbitrary: fc.constant('cancel' as const) },
    { weight: 2, arbitrary: fc.constant('expire' as const) },
    { weight: 1, arbitrary: fc.constant('pay' as const) },
  ),
  seats: fc.subarray(
    Array.from({ length: seatsPerShow }, (_, index) => index + 1),
    { minLength: 1, maxLength: 3 },
  ),
  through: fc.nat(1),
})
/** Shows, their fans, and what each of these does, one after the other. */
const stories = fc.array(
  fc.array(fc.array(command, { minLength: 8, maxLength: 16 }), { minLength: 5, maxLength: 5 }),
  { minLength: 5, maxLength: 5 },
)

async function act(two: TwoInstances, fan: Fan, concertId: number, showId: number, story: Command[]) {
  const calls: Call[] = []
  let reservationId = ''
  let heldUntil = new Date(0)
  for (const { does, seats, through } of story) {
    const here = two.as(fan, through)
    if (does === 'expire') {
      await reach(two.database, heldUntil)
      continue
    }
    if (does !== 'hold' && reservationId === '') continue
    const sentAt = new Date()
    const answer =
      does === 'hold'
        ? await here.hold(showId, seats)
        : does === 'cancel'
          ? await here.cancel(reservationId)
          : await here.pay(reservationId)
    const answeredAt = new Date()
    if (does === 'hold' && answer.status === 201) {
      reservationId = answer.body['reservationId']
      heldUntil = new Date(answer.body['heldUntil'])
    }
    calls.push({ does, userId: fan.userId, seats, reservationId, sentAt, answeredAt, answer })
    // A payment ends the session, so the fan lines up again.
    if (does === 'pay' && answer.status === 201) await fan.join(concertId)
  }
  return calls
}

test('whatever fans do at once through two instances, what they were told is what happened', async () => {
  await using two = await twoInstances({ HOLD_SECONDS: '1', SEATS_PER_USER_MAX: `${limit}` })
  const { database } = two
  const seen = new Set<string>()

  await fc.assert(
    fc.asyncProperty(stories, async (shows) => {
      const calls = (
        await Promise.all(
          shows.map(async (fans) => {
            const { concertId, showIds } = await createConcert(two.clients[0], operatorToken, {
              shows: [{ seats: seatsPerShow }],
            })
            const told = await Promise.all(
              fans.map(async (story, index) => {
                const fan = await Fan.signUp(two.instance(index))
                await fan.charge(30_000)
                await fan.join(concertId)
                return act(two, fan, concertId, showIds[0]!, story)
              }),
            )
            return told.flat().map((call) => ({ ...call, showId: showIds[0]! }))
          }),
        )
      ).flat()
      for (const { does, answer } of calls) seen.add(`${does} ${answer.body['code'] ?? answer.status}`)

      const of = (does: Command['does'], code: number | string) =>
        calls.filter(
          (call) => call.does === does && (call.answer.status === code || call.answer.body['code'] === code),
        )
      const showIds = [...new Set(calls.map(({ showId }) => showId))]

      // Every answer of success is a row that says the same, and every row is an answer.
      const rows = await database.query<{ id: string; state: string }>(sql`
        select id, user_id, show_id, seat_numbers, held_until, state
          from reservations where show_id = any(${showIds}::int[]) order by id`)
      expect(rows).toMatchObject(
        of('hold', 201)
          .map(({ userId, showId, seats, answer: { body } }) => ({
            id: body['reservationId'],
            user_id: userId,
            show_id: showId,
            seat_numbers: seats,
            held_until: new Date(body['heldUntil']),
          }))
          .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      )
      const inState = (state: string) => rows.filter((row) => row.state === state).map(({ id }) => id)
      const ids = (some: Call[]) => some.map(({ reservationId }) => reservationId).toSorted()
      expect(ids(of('cancel', 204))).toEqual(inState('cancelled'))
      expect(ids(of('pay', 201))).toEqual(inState('paid'))

      // Nobody owned a seat while somebody else did.
      const clashes = await database.query(sql`
        with owner as (
          select id, show_id, unnest(seat_numbers) as number, created_at as since,
                 case state when 'paid' then 'infinity' when 'cancelled' then closed_at else held_until end as till
            from reservations where show_id = any(${showIds}::int[])
        )
        select a.id, b.id as other, a.number
          from owner a join owner b on b.show_id = a.show_id and b.number = a.number and b.id > a.id
         where a.since < b.till and b.since < a.till`)
      expect(clashes).toEqual([])

      // Nobody had more seats than allowed at any time: it could only become so with a new hold.
      const excesses = await database.query(sql`
        select v.id, sum(cardinality(o.seat_numbers)) as have
          from reservations v
          join reservations o on o.user_id = v.user_id and o.show_id = v.show_id
         where v.show_id = any(${showIds}::int[])
           and o.created_at <= v.created_at
           and v.created_at < case o.state when 'paid' then 'infinity'
                                           when 'cancelled' then o.closed_at else o.held_until end
         group by v.id
        having sum(cardinality(o.seat_numbers)) > ${limit}`)
      expect(excesses).toEqual([])

      // A refusal names seats that were asked for, each of which somebody owned at some time during the call.
      const refusals = of('hold', 'seat-taken')
      for (const { seats, answer } of refusals) {
        expect(answer.body['seats']).not.toEqual([])
        expect(seats).toEqual(expect.arrayContaining(answer.body['seats']))
      }
      const named = refusals.flatMap(({ showId, sentAt, answeredAt, answer }) =>
        answer.body['seats'].map((number: number) => ({ showId, number, sentAt, answeredAt })),
      )
      const baseless = await database.query(sql`
        select n.*
          from unnest(
            ${named.map(({ showId }) => showId)}::int[],
            ${named.map(({ number }) => number)}::int[],
            ${named.map(({ sentAt }) => sentAt)}::timestamptz[],
            ${named.map(({ answeredAt }) => answeredAt)}::timestamptz[]
          ) as n(show_id, number, sent_at, answered_at)
         where not exists (
           select from reservations v
            where v.show_id = n.show_id and n.number = any(v.seat_numbers)
              and v.created_at <= n.answered_at + interval '1 ms'
              and n.sent_at <= case v.state when 'paid' then 'infinity'
                                            when 'cancelled' then v.closed_at else v.held_until end
         )`)
      expect(baseless).toEqual([])

      // A hold is said to have expired only when its deadline has passed.
      for (const { answer, answeredAt } of of('pay', 'hold-expired')) {
        expect(new Date(answer.body['heldUntil']).getTime()).toBeLessThanOrEqual(answeredAt.getTime())
      }
      await expectInvariants(database)
    }),
    { numRuns: 2, endOnFailure: true },
  )

  const possible = [
    'hold 201',
    'hold seat-taken',
    'hold too-many-seats',
    'cancel 204',
    'cancel not-held',
    'pay 201',
    'pay already-paid',
    'pay not-held',
    'pay hold-expired',
    'pay insufficient-balance',
  ]
  expect(possible).toEqual(expect.arrayContaining([...seen]))
  // What every story is made of has to be in them. What only some meet, such as paying too late, has tests of its own.
  expect([...seen]).toEqual(expect.arrayContaining(['hold 201', 'hold seat-taken', 'cancel 204', 'pay 201']))
})
