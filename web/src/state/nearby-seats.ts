export type Seat = { number: number; price: number; state: 'available' | 'held' | 'sold' }

/** A price that differs by its whole counts as much as this many seats of distance. */
const priceWeight = 40

/**
 * Free seats close to those that were wanted, as many: side by side if there are such, else the nearest ones.
 * Empty when there are not enough.
 */
export function nearbySeats(seats: Seat[], wanted: number[]): number[] {
  const size = wanted.length
  if (size === 0) return []
  const free = seats.filter(({ state }) => state === 'available')
  const center = wanted.reduce((sum, number) => sum + number, 0) / size
  const priceOf = new Map(seats.map(({ number, price }) => [number, price]))
  const price = wanted.reduce((sum, number) => sum + (priceOf.get(number) ?? 0), 0) / size || 1

  const distance = (group: Seat[]) => {
    const middle = group.reduce((sum, { number }) => sum + number, 0) / size
    const cost = group.reduce((sum, seat) => sum + seat.price, 0) / size
    return Math.abs(middle - center) + (Math.abs(cost - price) / price) * priceWeight
  }
  const groups = free
    .map((_seat, index) => free.slice(index, index + size))
    .filter(
      (group) => group.length === size && (group.at(-1)?.number ?? 0) - (group[0]?.number ?? 0) === size - 1,
    )
  const together = groups.toSorted((a, b) => distance(a) - distance(b))[0]
  if (together) return together.map(({ number }) => number)
  const nearest = free
    .toSorted((a, b) => Math.abs(a.number - center) - Math.abs(b.number - center))
    .slice(0, size)
    .map(({ number }) => number)
  return nearest.length === size ? nearest.toSorted((a, b) => a - b) : []
}
