/** The value that `share` of the values do not exceed (nearest rank); NaN when there are none. */
export function percentile(values: readonly number[], share: number): number {
  return ofSorted(values.toSorted(ascending), share)
}

/** The middle value, or the mean of the middle two; NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted(ascending)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export type Spread = { count: number; p50: number; p95: number; p99: number; max: number }

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted(ascending)
  return {
    count: sorted.length,
    p50: ofSorted(sorted, 0.5),
    p95: ofSorted(sorted, 0.95),
    p99: ofSorted(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
  }
}

function ofSorted(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

const ascending = (a: number, b: number): number => a - b
