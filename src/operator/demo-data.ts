import type { Database } from '../platform/postgres/database.ts'
import { sql } from '../platform/postgres/sql.ts'
import { addConcert } from './create-concert.ts'

const dayMs = 86_400_000

/** Something to try, when there is nothing: a concert on sale, one that opens later, and a large one for a rush. */
export function addDemoData(database: Database): Promise<void> {
  return database.transaction(async (tx) => {
    // Instances that start together take turns here.
    await tx.query(sql`lock table concerts in share row exclusive mode`)
    const [row] = await tx.query<{ now: Date; is_empty: boolean }>(sql`
      select now() as now, not exists (select from concerts) as is_empty`)
    if (!row?.is_empty) return
    const day = (days: number) => new Date(row.now.getTime() + days * dayMs)
    // Seven in the evening where the halls are.
    const evening = (days: number) => new Date(day(days).setUTCHours(10, 0, 0, 0))
    const zones = [
      { from: 1, to: 10, price: 150_000 },
      { from: 11, to: 30, price: 110_000 },
      { from: 31, to: 50, price: 80_000 },
    ]
    const queue = { capacity: undefined, ratePerSecond: undefined }
    await addConcert(tx, {
      title: 'First Light',
      artist: 'Frontrow Demo Orchestra',
      venue: 'Riverside Hall, Seoul',
      saleOpensAt: day(-1),
      saleClosesAt: day(365),
      queue,
      shows: [30, 31, 32].map((days) => ({ startsAt: evening(days), seats: zones })),
    })
    await addConcert(tx, {
      title: 'Winter Voices',
      artist: 'Frontrow Demo Choir',
      venue: 'Harbour Arena, Busan',
      saleOpensAt: day(30),
      saleClosesAt: day(365),
      queue,
      shows: [60, 61].map((days) => ({ startsAt: evening(days), seats: zones })),
    })
    await addConcert(tx, {
      title: 'The Long Tour',
      artist: 'Frontrow Demo Band',
      venue: 'Olympic Dome, Seoul',
      saleOpensAt: day(-1),
      saleClosesAt: day(365),
      queue,
      shows: Array.from({ length: 20 }, (_, index) => ({ startsAt: evening(90 + index), seats: zones })),
    })
  })
}
