/** An answer is kept this many times as long as it took to make: making it never takes more than a twentieth of the time. */
const keepFactor = 20
/** Answers kept at once; past this all are forgotten. */
const most = 1_000

type Shared<Value> = { value: Promise<Value>; until: number }

/**
 * Shares what is the same for everyone: calls with the same key while one is being answered get that answer, and so do
 * those shortly after. A cheap answer is kept for milliseconds, a dear one for up to `maxMs`; a failure is not kept.
 */
export function share<Value>(maxMs: number): (key: string, make: () => Promise<Value>) => Promise<Value> {
  const answers = new Map<string, Shared<Value>>()

  return (key, make) => {
    const known = answers.get(key)
    if (known && performance.now() < known.until) return known.value
    if (answers.size >= most) answers.clear()
    const startedAt = performance.now()
    const answer: Shared<Value> = { value: make(), until: Infinity }
    answers.set(key, answer)
    answer.value.then(
      () => {
        const now = performance.now()
        answer.until = now + Math.min((now - startedAt) * keepFactor, maxMs)
      },
      () => {
        if (answers.get(key) === answer) answers.delete(key)
      },
    )
    return answer.value
  }
}
