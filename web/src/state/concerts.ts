import { call, type Answer } from '../api/client.ts'

export type Concert = Answer<'listConcerts'>['concerts'][number]
export type ConcertWithShows = Answer<'readConcert'>

const known = new Map<number, ConcertWithShows>()

/** A concert as last read: good for names and dates, which do not change. */
export function knownConcert(concertId: number): ConcertWithShows | undefined {
  return known.get(concertId)
}

export async function readConcert(concertId: number, signal?: AbortSignal): Promise<ConcertWithShows> {
  const concert = await call('readConcert', { params: { concertId }, ...(signal ? { signal } : {}) })
  known.set(concertId, concert)
  return concert
}
