import type { Random } from './random.ts'

/** Where the good seats end: most fans choose among this share of what is free. */
const goodShare = 0.15

/** How many seats go together: most come in pairs. */
export function partySize(random: Random): number {
  const roll = random()
  return roll < 0.25 ? 1 : roll < 0.75 ? 2 : roll < 0.88 ? 3 : 4
}

/**
 * Seats next to each other, as near to the front as the fan can find: everyone wants the good ones, so that fans
 * collide. When no such row is left, single seats; when there are fewer, those. `free` is in ascending order.
 */
export function chooseSeats(free: readonly number[], size: number, random: Random): number[] {
  const start = Math.min(
    Math.floor(-Math.log(1 - random()) * free.length * goodShare),
    Math.max(0, free.length - size),
  )
  return findRow(free, size, start) ?? findRow(free, size, 0) ?? free.slice(start, start + size)
}

function findRow(free: readonly number[], size: number, start: number): number[] | undefined {
  for (let first = start; first + size <= free.length; first++) {
    const last = free[first + size - 1]
    if (last === free[first]! + size - 1) return free.slice(first, first + size)
  }
  return undefined
}
