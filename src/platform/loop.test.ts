import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startLoop } from './loop.ts'

/** Longer than any test may take: a rest that ends within one was ended on purpose. */
const restMs = 3_600_000

const unexpected = (error: unknown) => {
  throw error
}

test('it works again at once while there is more, then rests until it is woken', async () => {
  const stopping = new AbortController()
  const left = [true, true, false, false]
  let runs = 0
  const { promise: rested, resolve: rests } = Promise.withResolvers<void>()
  const loop = startLoop({
    work: async () => left[runs++] ?? false,
    restMs: () => {
      if (runs === 3) rests()
      return restMs
    },
    signal: stopping.signal,
    onError: unexpected,
  })
  await rested
  await nextTurn()
  expect(runs).toBe(3)
  loop.wake()
  await expect.poll(() => runs).toBe(4)
  stopping.abort()
  await loop.done
})

test('a wake while it works is not lost: it works once more before it rests', async () => {
  const stopping = new AbortController()
  let runs = 0
  const { promise: working, resolve: end } = Promise.withResolvers<boolean>()
  const loop = startLoop({
    work: () => (++runs === 1 ? working : Promise.resolve(false)),
    restMs,
    signal: stopping.signal,
    onError: unexpected,
  })
  loop.wake()
  end(false)
  await expect.poll(() => runs).toBe(2)
  await nextTurn()
  expect(runs).toBe(2)
  stopping.abort()
  await loop.done
})

test('a failure is told with how many came in a row, and never ends it', async () => {
  const stopping = new AbortController()
  const told: unknown[] = []
  let runs = 0
  const loop = startLoop({
    work: async () => {
      runs++
      if (runs <= 2 || runs === 4) throw new Error(`run ${runs}`)
      return false
    },
    restMs,
    signal: stopping.signal,
    onError: (error, failures) => {
      told.push([(error as Error).message, failures])
      loop.wake()
    },
  })
  await expect.poll(() => runs).toBe(3)
  loop.wake()
  await expect.poll(() => runs).toBe(5)
  expect(told).toEqual([
    ['run 1', 1],
    ['run 2', 2],
    ['run 4', 1],
  ])
  stopping.abort()
  await loop.done
})

test('the signal ends a rest at once, and the work in progress is finished first', async () => {
  const resting = new AbortController()
  let runs = 0
  const idle = startLoop({
    work: async () => ++runs < 0,
    restMs,
    signal: resting.signal,
    onError: unexpected,
  })
  await nextTurn()
  resting.abort()
  await idle.done
  expect(runs).toBe(1)

  const working = new AbortController()
  const { promise: work, resolve: end } = Promise.withResolvers<boolean>()
  let isDone = false
  const busy = startLoop({ work: () => work, restMs, signal: working.signal, onError: unexpected })
  const ended = busy.done.then(() => (isDone = true))
  working.abort()
  await nextTurn()
  expect(isDone).toBe(false)
  end(true)
  await ended
})

test('work that fails because it was stopped is no news', async () => {
  const stopping = new AbortController()
  const { promise: work, reject: fail } = Promise.withResolvers<boolean>()
  const told: unknown[] = []
  const loop = startLoop({
    work: () => work,
    restMs,
    signal: stopping.signal,
    onError: (error) => told.push(error),
  })
  stopping.abort()
  fail(new Error('interrupted'))
  await loop.done
  expect(told).toEqual([])
})
