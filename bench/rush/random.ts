/** Numbers from 0 to 1 that are the same for the same seed: mulberry32, by Tommy Ettinger. */
export type Random = () => number

export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A time around `mean`: mostly shorter, sometimes much longer, never more than five times as long. */
export function around(random: Random, mean: number): number {
  return Math.min(-Math.log(1 - random()) * mean, 5 * mean)
}
