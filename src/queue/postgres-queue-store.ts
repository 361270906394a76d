import { again } from '../platform/batch.ts'
import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import type { EndReason, PlaceState } from './queue.ts'
import type { Joined, QueueStore, QueueTimes } from './queue-store.ts'

type PlaceRow = { active_until: Date | null; end_reason: EndReason | null; is_live: boolean }

/** Numbers passed over in one step because their fans left: bounds the step, not the line. */
const leaversPerStep = 1_000
/** Sessions past their time that one step ends; the next goes on with the rest. */
const endingsPerStep = 10_000

function stateOf(row: PlaceRow): PlaceState {
  if (row.end_reason !== null) return { status: 'ended', reason: row.end_reason }
  if (row.active_until === null) return { status: 'waiting' }
  return row.is_live
    ? { status: 'active', activeUntil: row.active_until }
    : { status: 'ended', reason: 'expired' }
}

/**
 * The line in PostgreSQL. The row of a concert in `queues` is its ticket machine and its lock: every statement that
 * gives a number or changes how many are inside locks it first, in order of concerts, and then places in order of
 * numbers. Counts of sessions come from that row, because a count of places would read the statement's older
 * snapshot. New counts are made of the locked row's, never of the updated one's: PostgreSQL first makes the new row from
 * the snapshot's and checks its constraints, and only then notices that there is a newer one to make it from.
 *
 * Places are looked up in `lateral` queries, where the key is at hand with `end_reason is null` and not the
 * `ended_at is null` of the indexes, and are changed by inserts that always find their row: whatever the statistics of
 * yesterday's sale say, the planner has no way but the key. Left to choose, it read the whole line for each of a batch:
 * 2 s for 64 of 200,000.
 */
export function postgresQueueStore(database: Database, times: QueueTimes): QueueStore {
  const { sessionSeconds, claimSeconds } = times

  return {
    async join(requests) {
      const concertIds = requests.map((request) => request.concertId)
      const userIds = requests.map((request) => request.userId)
      const capacities = requests.map((request) => request.capacity)
      const rows = await joinRows(concertIds, userIds, capacities)
      const outcomes = rows.map((row): Joined | typeof again =>
        row.number === null
          ? again
          : {
              number: row.number,
              isNew: row.is_new,
              state: stateOf(row),
              issued: row.issued,
              serving: row.serving,
            },
      )
      // Places whose session had just run out were ended by the statement; their fans get new numbers now.
      const unsettled = outcomes.flatMap((outcome, index) => (outcome === again ? [index] : []))
      if (unsettled.length > 0) {
        const settled = await this.join(unsettled.map((index) => requests[index]!))
        unsettled.forEach((index, position) => (outcomes[index] = settled[position]!))
      }
      return outcomes as Joined[]
    },

    async touch(places) {
      const rows = await database.query<PlaceRow>(sql`
        with request as (
          select * from unnest(
            ${places.map((place) => place.concertId)}::int[],
            ${places.map((place) => place.number)}::bigint[],
            ${places.map((place) => place.userId)}::uuid[]
          ) with ordinality as r(concert_id, number, user_id, ord)
        ), newcomer as materialized (
          select p.*
            from (select distinct concert_id, number, user_id from request order by concert_id, number) r
           cross join lateral (
             select p.concert_id, p.number, p.user_id, p.joined_at
               from queue_places p
              where p.concert_id = r.concert_id and p.number = r.number and p.user_id = r.user_id
                and p.end_reason is null and p.claimed_at is null and p.active_until > clock_timestamp()
              limit 1
                for update
           ) p
        ), claimed as (
          insert into queue_places (concert_id, number, user_id, joined_at)
          select concert_id, number, user_id, joined_at from newcomer
              on conflict (concert_id, number) do update
             set claimed_at = now(), active_until = now() + make_interval(secs => ${sessionSeconds})
          returning concert_id, number, active_until
        )
        select coalesce(c.active_until, p.active_until) as active_until,
               case when p.number is null then 'left'
                    when p.end_reason is not null then p.end_reason
                    when p.active_until <= clock_timestamp() and p.claimed_at is null and c.number is null then 'no-show'
               end as end_reason,
               coalesce(c.active_until, p.active_until) > clock_timestamp() as is_live
          from request r
          left join lateral (
            select * from queue_places p
             where p.concert_id = r.concert_id and p.number = r.number and p.user_id = r.user_id
             limit 1
          ) p on true
          left join claimed c on c.concert_id = p.concert_id and c.number = p.number
         order by r.ord`)
      return rows.map(stateOf)
    },

    async extend(extensions) {
      await database.query(sql`
        with live as materialized (
          select p.*, r.until
            from (
              select concert_id, number, user_id, max(until) as until from unnest(
                ${extensions.map((place) => place.concertId)}::int[],
                ${extensions.map((place) => place.number)}::bigint[],
                ${extensions.map((place) => place.userId)}::uuid[],
                ${extensions.map((place) => place.until)}::timestamptz[]
              ) as e(concert_id, number, user_id, until)
              group by concert_id, number, user_id
              order by concert_id, number
            ) r
           cross join lateral (
             select p.concert_id, p.number, p.user_id, p.joined_at
               from queue_places p
              where p.concert_id = r.concert_id and p.number = r.number and p.user_id = r.user_id
                and p.end_reason is null and p.active_until > clock_timestamp() and p.active_until < r.until
                -- Its commit need not wait for the disk: the event of the hold brings the same again.
                and set_config('synchronous_commit', 'off', true) is not null
              limit 1
                for update
           ) p
        )
        insert into queue_places (concert_id, number, user_id, joined_at, active_until)
        select concert_id, number, user_id, joined_at, until from live
            on conflict (concert_id, number) do update set active_until = excluded.active_until`)
    },

    async end(endings) {
      // What a payment ends its event ends again, so that commit need not wait for the disk. Who leaves is told so, and
      // that must last.
      const isToldAgain = endings.every((place) => place.reason === 'completed')
      await database.query(sql`
        with request as (
          select distinct on (concert_id, number, user_id) * from unnest(
            ${endings.map((place) => place.concertId)}::int[],
            ${endings.map((place) => place.number)}::bigint[],
            ${endings.map((place) => place.userId)}::uuid[],
            ${endings.map((place) => place.reason)}::text[]
          ) with ordinality as e(concert_id, number, user_id, reason, ord)
          order by concert_id, number, user_id, ord
        ), undone as materialized (
          -- Endings that events bring are mostly done already: those must not wait for the line.
          select * from request r
           where exists (
             select from queue_places p
              where p.concert_id = r.concert_id and p.number = r.number and p.user_id = r.user_id
                and p.end_reason is null
             offset 0
           )
        ), locked as materialized (
          select concert_id, active from queues
           where concert_id in (select concert_id from undone)
             and set_config('synchronous_commit', ${isToldAgain ? 'off' : 'on'}, true) is not null
           order by concert_id
             for update
        ), live as materialized (
          select p.*, r.reason
            from undone r
           cross join (select count(*) as lines from locked) l
           cross join lateral (
             select p.concert_id, p.number, p.user_id, p.joined_at
               from queue_places p
              where p.concert_id = r.concert_id and p.number = r.number and p.user_id = r.user_id
                and p.end_reason is null
                -- After the lines are locked.
                and l.lines > 0
              limit 1
                for update
           ) p
        ), ended as (
          insert into queue_places (concert_id, number, user_id, joined_at, ended_at, end_reason)
          select concert_id, number, user_id, joined_at, clock_timestamp(), reason from live
              on conflict (concert_id, number) do update
             set ended_at = excluded.ended_at, end_reason = excluded.end_reason
          returning concert_id, active_until is not null as was_inside
        )
        update queues q set active = l.active - freed.places
          from locked l
          join (select concert_id, count(*) as places from ended where was_inside group by concert_id) freed
         using (concert_id)
         where q.concert_id = l.concert_id`)
    },

    async admit(rules) {
      return database.query<{ concertId: number; issued: number; serving: number; admitted: number }>(sql`
        with rule as (
          select * from unnest(
            ${rules.map((rule) => rule.concertId)}::int[],
            ${rules.map((rule) => rule.capacity)}::int[],
            ${rules.map((rule) => rule.ratePerSecond)}::float8[]
          ) as r(concert_id, capacity, rate)
        ), line as materialized (
          select q.*, r.capacity, r.rate
            from queues q join rule r using (concert_id)
           where q.active > 0 or q.serving < q.issued
           order by q.concert_id
             for update of q
        ), due as materialized (
          select p.*
            from line l
           cross join lateral (
             select p.concert_id, p.number, p.user_id, p.joined_at, p.active_until, p.claimed_at
               from queue_places p
              where p.concert_id = l.concert_id and p.ended_at is null
                -- The start of the statement, so that the index finds them: with 200,000 inside, a look at every tick
                -- of the clock read them all and held the line for 50 ms.
                and p.active_until <= now()
              order by p.active_until
              limit ${endingsPerStep}
                for update
           ) p
        ), ended as (
          insert into queue_places (concert_id, number, user_id, joined_at, ended_at, end_reason)
          select concert_id, number, user_id, joined_at, active_until,
                 case when claimed_at is null then 'no-show' else 'expired' end
            from due
              on conflict (concert_id, number) do update
             set ended_at = excluded.ended_at, end_reason = excluded.end_reason
          returning concert_id
        ), freed as (
          select l.concert_id, count(e.concert_id)::int as places
            from line l left join ended e using (concert_id)
           group by l.concert_id
        ), room as materialized (
          select l.concert_id, l.issued, l.serving, l.active, f.places,
                 -- One second's worth, and one fan at least: a rate below one a second lets someone in, too.
                 least(greatest(l.rate, 1), l.allowance + l.rate * extract(epoch from clock_timestamp() - l.refilled_at))
                   as allowance,
                 l.capacity - l.active + f.places as free
            from line l join freed f using (concert_id)
        ), step as materialized (
          select r.concert_id, r.issued, r.serving, r.active, r.places, r.allowance,
                 coalesce((
                   select max(n.number)
                     from (
                       select w.number, sum(w.is_live::int) over (order by w.number) as nth
                         from (
                           select p.number, p.ended_at is null as is_live
                             from queue_places p
                            where p.concert_id = r.concert_id and p.number > r.serving
                            order by p.number
                            limit greatest(0, least(r.free, floor(r.allowance + 1e-9))) + ${leaversPerStep}
                         ) w
                     ) n
                    where n.nth <= least(r.free, floor(r.allowance + 1e-9))
                 ), r.serving) as last
            from room r
        ), next as materialized (
          select p.*
            from step s
           cross join lateral (
             select p.concert_id, p.number, p.user_id, p.joined_at
               from queue_places p
              where p.concert_id = s.concert_id and p.number > s.serving and p.number <= s.last
                and p.end_reason is null and p.active_until is null
                for update
           ) p
        ), admitted as (
          insert into queue_places (concert_id, number, user_id, joined_at, active_until)
          select concert_id, number, user_id, joined_at,
                 clock_timestamp() + make_interval(secs => ${claimSeconds})
            from next
              on conflict (concert_id, number) do update set active_until = excluded.active_until
          returning concert_id
        )
        update queues q
           set issued = s.issued,
               serving = s.last,
               active = s.active - s.places + a.places,
               allowance = greatest(0, s.allowance - a.places),
               refilled_at = clock_timestamp()
          from step s
          join (
            select s2.concert_id, count(ad.concert_id)::int as places
              from step s2 left join admitted ad using (concert_id) group by s2.concert_id
          ) a using (concert_id)
         where q.concert_id = s.concert_id
           -- What the rate allows follows from the time since, so a step that moves nobody writes nothing.
           and (s.places > 0 or s.last > s.serving)
        returning q.concert_id as "concertId", q.issued, q.serving, a.places as admitted`)
    },

    async read(concertIds, since) {
      const [row] = await database.query<{
        counters: { concertId: number; issued: number; serving: number }[] | null
        left: { concertId: number; number: number }[] | null
        now: Date
      }>(sql`
        select (
                 select jsonb_agg(jsonb_build_object('concertId', concert_id, 'issued', issued, 'serving', serving))
                   from queues where concert_id = any(${concertIds}::int[])
               ) as counters,
               (
                 select jsonb_agg(jsonb_build_object('concertId', p.concert_id, 'number', p.number))
                   from queue_places p join queues q using (concert_id)
                  where p.concert_id = any(${concertIds}::int[])
                    and p.ended_at is not null and p.active_until is null
                    and p.ended_at > coalesce(${since ?? null}::timestamptz, '-infinity')
                    and p.number > q.serving
               ) as left,
               clock_timestamp() as now`)
      return { counters: row?.counters ?? [], left: row?.left ?? [], now: row?.now ?? new Date(0) }
    },
  }

  type JoinRow = PlaceRow & { number: number | null; is_new: boolean; issued: number; serving: number }

  /**
   * A fan who has a live place keeps it. One whose session ran out has it ended here and comes back without a number:
   * the row that ends and the row that begins share a unique index, so they cannot be of one statement.
   */
  function joinRows(concertIds: number[], userIds: string[], capacities: number[]): Promise<JoinRow[]> {
    return database.query<JoinRow>(sql`
      with request as (
        select * from unnest(${concertIds}::int[], ${userIds}::uuid[], ${capacities}::int[])
          with ordinality as r(concert_id, user_id, capacity, ord)
      ), line as materialized (
        select * from queues
         where concert_id in (select concert_id from request)
         order by concert_id
           for update
      ), present as materialized (
        select r.ord, p.concert_id, p.number, p.active_until, p.active_until <= clock_timestamp() as is_over
          from request r
         cross join (select count(*) as lines from line) l
         cross join lateral (
           select concert_id, number, active_until
             from queue_places p
            where p.concert_id = r.concert_id and p.user_id = r.user_id and p.ended_at is null and l.lines > 0
            limit 1
         ) p
      ), lapsed as materialized (
        select p.*
          from present o
         cross join lateral (
           select p.concert_id, p.number, p.user_id, p.joined_at, p.active_until, p.claimed_at
             from queue_places p
            where o.is_over and p.concert_id = o.concert_id and p.number = o.number and p.end_reason is null
              -- The fan may have shown up while this waited for the line.
              and p.active_until <= clock_timestamp()
            limit 1
              for update
         ) p
      ), over as (
        insert into queue_places (concert_id, number, user_id, joined_at, ended_at, end_reason)
        select concert_id, number, user_id, joined_at, active_until,
               case when claimed_at is null then 'no-show' else 'expired' end
          from lapsed
            on conflict (concert_id, number) do update
           set ended_at = excluded.ended_at, end_reason = excluded.end_reason
        returning concert_id
      ), fresh as (
        select r.concert_id, r.user_id, r.ord,
               row_number() over (partition by r.concert_id order by r.ord) as nth,
               -- One capacity per line: of two requests that read it before and after a change, the second must not
               -- get in past the first.
               min(r.capacity) over (partition by r.concert_id) as capacity
          from request r
         where not exists (select from present e where e.ord = r.ord)
      ), placed as (
        select f.ord, f.concert_id, f.user_id, l.issued + f.nth as number,
               l.serving = l.issued and l.active + f.nth <= f.capacity as at_once
          from fresh f join line l using (concert_id)
      ), added as (
        insert into queue_places (concert_id, number, user_id, joined_at, active_until, claimed_at)
        select concert_id, number, user_id, clock_timestamp(),
               case when at_once then clock_timestamp() + make_interval(secs => ${sessionSeconds}) end,
               case when at_once then clock_timestamp() end
          from placed
         order by concert_id, number
        returning concert_id, number, active_until
      ), counted as (
        select l.concert_id, l.issued, l.serving, l.active, l.allowance,
               count(p.number) as given,
               count(p.number) filter (where p.at_once) as let_in,
               (select count(*) from over o where o.concert_id = l.concert_id) as ended
          from line l left join placed p using (concert_id)
         group by l.concert_id, l.issued, l.serving, l.active, l.allowance
      ), moved as (
        update queues q
           set issued = c.issued + c.given,
               serving = c.serving + c.let_in,
               active = c.active + c.let_in - c.ended,
               allowance = greatest(0, c.allowance - c.let_in)
          from counted c
         where q.concert_id = c.concert_id and (c.given > 0 or c.ended > 0)
        returning q.concert_id, q.issued, q.serving
      )
      select coalesce(p.number, case when not e.is_over or e.is_over is null then e.number end) as number,
             p.number is not null as is_new,
             coalesce(a.active_until, e.active_until) as active_until,
             null as end_reason,
             coalesce(a.active_until, e.active_until) > clock_timestamp() as is_live,
             coalesce(m.issued, l.issued) as issued,
             coalesce(m.serving, l.serving) as serving
        from request r
        join line l using (concert_id)
        left join present e on e.ord = r.ord
        left join placed p on p.ord = r.ord
        left join added a on a.concert_id = p.concert_id and a.number = p.number
        left join moved m on m.concert_id = r.concert_id
       order by r.ord`)
  }
}
