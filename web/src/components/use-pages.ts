import { useState } from 'preact/hooks'
import { useLoaded, type Loaded } from './use-loaded.ts'

export type Pages<Item> = Loaded<Item[]> & { hasMore: boolean; more: () => void }

/** A list that is read page by page, as far as the fan asks. */
export function usePages<Item>(
  key: string,
  read: (
    cursor: string | undefined,
    signal: AbortSignal,
  ) => Promise<{ items: Item[]; nextCursor: string | null }>,
): Pages<Item> {
  const [count, setCount] = useState(1)
  const [last, setLast] = useState<Item[]>()
  const [hasMore, setHasMore] = useState(false)
  const loaded = useLoaded(`${key} ${count}`, async (signal) => {
    const all: Item[] = []
    let cursor: string | null | undefined
    for (let page = 0; page < count && cursor !== null; page++) {
      const answer = await read(cursor, signal)
      all.push(...answer.items)
      cursor = answer.nextCursor
    }
    setLast(all)
    setHasMore(cursor !== null)
    return all
  })
  // While more is read, what was read stays.
  return { ...loaded, value: loaded.value ?? last, hasMore, more: () => setCount(count + 1) }
}
