import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { again, batch, type BatchOptions } from './batch.ts'

/** A batch whose runs end when the test says so. */
function heldBatch(options: Partial<BatchOptions<string, string>> = {}) {
  const runs: { requests: string[]; end: (error?: Error) => void }[] = []
  const submit = batch<string, string>({
    run: (requests) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => (error ? reject(error) : resolve(requests.map((text) => `${text}!`)))
        runs.push({ requests, end })
      }),
    max: 100,
    maxQueued: 100,
    isRetryable: () => false,
    isUnavailable: () => false,
    ...options,
  })
  return {
    submit,
    /** The requests of each run so far. */
    seen: () => runs.map(({ requests }) => requests),
    /** Ends the latest run, and waits for what follows from that. */
    end: async (error?: Error) => {
      runs.at(-1)?.end(error)
      await nextTurn()
    },
  }
}

describe('grouping', () => {
  test('a request alone runs at once; those that arrive meanwhile are the next run, in their order', async () => {
    const { submit, seen, end } = heldBatch()
    const answers = ['a', 'b', 'c'].map(submit)
    expect(seen()).toEqual([['a']])
    await end()
    answers.push(submit('d'))
    expect(seen()).toEqual([['a'], ['b', 'c']])
    await end()
    expect(seen()).toEqual([['a'], ['b', 'c'], ['d']])
    await end()
    expect(await Promise.all(answers)).toEqual(['a!', 'b!', 'c!', 'd!'])
  })

  test('it starts again after it has been idle', async () => {
    const { submit, seen, end } = heldBatch()
    const first = submit('a')
    await end()
    await first
    const second = submit('b')
    expect(seen()).toEqual([['a'], ['b']])
    await end()
    expect(await second).toBe('b!')
  })

  test('a run is never larger than the most', async () => {
    const { submit, seen, end } = heldBatch({ max: 2 })
    const answers = ['a', 'b', 'c', 'd'].map(submit)
    await end()
    await end()
    await end()
    await Promise.all(answers)
    expect(seen()).toEqual([['a'], ['b', 'c'], ['d']])
  })
})

test('requests of one lane never share a run and are settled in the order they came', async () => {
  const { submit, seen, end } = heldBatch({ lane: (text) => text.charAt(0) })
  const answers = ['x', 'a1', 'a2', 'b1', 'a3'].map(submit)
  for (let run = 0; run < 4; run++) await end()
  await Promise.all(answers)
  expect(seen()).toEqual([['x'], ['a1', 'b1'], ['a2'], ['a3']])
})

test('a request that could not be decided is asked again before newer ones', async () => {
  const runs: string[][] = []
  const asked = new Set<string>()
  const submit = batch<string, string>({
    run: async (requests) => {
      runs.push(requests)
      await nextTurn()
      return requests.map((text) => {
        const isUndecided = text === 'b' && !asked.has(text)
        asked.add(text)
        return isUndecided ? again : text
      })
    },
    max: 3,
    maxQueued: 10,
    isRetryable: () => false,
    isUnavailable: () => false,
  })
  await Promise.all(['x', 'a', 'b', 'c', 'd', 'e', 'f'].map(submit))
  expect(runs).toEqual([['x'], ['a', 'b', 'c'], ['b', 'd', 'e'], ['f']])
})

describe('shedding', () => {
  test('past the most that may wait a request is refused as unavailable, and others are not harmed', async () => {
    const { submit, end } = heldBatch({ maxQueued: 3 })
    const answers = ['a', 'b', 'c'].map(submit)
    await expect(submit('d')).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
    await end()
    // One has been settled, so one more may wait.
    answers.push(submit('e'))
    await expect(submit('f')).rejects.toMatchObject({ code: 'unavailable' })
    await end()
    await end()
    expect(await Promise.all(answers)).toEqual(['a!', 'b!', 'c!', 'e!'])
  })

  test('requests that wait in a lane count, too', async () => {
    const { submit, end } = heldBatch({ maxQueued: 2, lane: () => 'one' })
    const answers = ['a', 'b'].map(submit)
    await expect(submit('c')).rejects.toMatchObject({ code: 'unavailable' })
    await end()
    await end()
    expect(await Promise.all(answers)).toEqual(['a!', 'b!'])
  })

  test('failures give their places back', async () => {
    const { submit, end } = heldBatch({ maxQueued: 1 })
    for (let round = 0; round < 3; round++) {
      const [failure] = await Promise.all([submit('a').catch(String), end(new Error('broken'))])
      expect(failure).toBe('Error: broken')
    }
    const answer = submit('b')
    await end()
    expect(await answer).toBe('b!')
  })
})

describe('failures', () => {
  /** Fails as long as `faultOf` finds something wrong with what is run. */
  function faultyBatch(
    faultOf: (requests: string[], run: number) => Error | undefined,
    options: Partial<BatchOptions<string, string>> = {},
  ) {
    const runs: string[][] = []
    const submit = batch<string, string>({
      run: async (requests) => {
        runs.push(requests)
        await nextTurn()
        const fault = faultOf(requests, runs.length)
        if (fault) throw fault
        return requests
      },
      max: 100,
      maxQueued: 100,
      isRetryable: () => false,
      isUnavailable: () => false,
      ...options,
    })
    return { submit, runs }
  }

  test('one poisoned request fails alone', async () => {
    const { submit } = faultyBatch((requests) =>
      requests.includes('poison') ? new Error('poisoned') : undefined,
    )
    const answers = await Promise.allSettled(['x', 'a', 'poison', 'b'].map(submit))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(answers[2]).toMatchObject({ reason: new Error('poisoned') })
  })

  test('a lost race is run again as it was, and nobody hears of it', async () => {
    const { submit, runs } = faultyBatch((_requests, run) => (run === 2 ? new Error('lost') : undefined), {
      isRetryable: () => true,
    })
    expect(await Promise.all(['x', 'a', 'b'].map(submit))).toEqual(['x', 'a', 'b'])
    expect(runs).toEqual([['x'], ['a', 'b'], ['a', 'b']])
  })

  test('a batch that keeps losing is taken apart, so that one unlucky request cannot hold up the others', async () => {
    const { submit } = faultyBatch(
      (requests) => (requests.includes('unlucky') ? new Error('lost') : undefined),
      {
        isRetryable: () => true,
      },
    )
    const answers = await Promise.allSettled(['x', 'a', 'unlucky', 'b'].map(submit))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
  })

  test('when the dependency is away all are told at once, and nothing is run singly', async () => {
    const { submit, runs } = faultyBatch((_requests, run) => (run === 2 ? new Error('away') : undefined), {
      isUnavailable: () => true,
    })
    const answers = await Promise.allSettled(['x', 'a', 'b'].map(submit))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(runs).toHaveLength(2)
    expect(await submit('c')).toBe('c')
  })

  test('a run that succeeded with the wrong number of outcomes is not run again', async () => {
    const runs: string[][] = []
    const submit = batch<string, string>({
      run: async (requests) => {
        runs.push(requests)
        await nextTurn()
        return requests.length > 1 ? requests.slice(1) : requests
      },
      max: 100,
      maxQueued: 100,
      isRetryable: () => false,
      isUnavailable: () => false,
    })
    const answers = await Promise.allSettled(['x', 'a', 'b'].map(submit))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(runs).toEqual([['x'], ['a', 'b']])
  })
})

test('whatever arrives and fails, each request is settled once, with its own outcome, and lanes keep their order', async () => {
  const request = fc.record({
    lane: fc.constantFrom('red', 'green', 'blue'),
    isPoison: fc.boolean(),
    agains: fc.nat(2),
    pause: fc.nat(3),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      fc.infiniteStream(fc.boolean()),
      async (requests, max, lost) => {
        const left = requests.map(({ agains }) => agains)
        const settled: number[] = []
        const submit = batch<number, number>({
          run: async (indexes) => {
            expect(indexes.length).toBeLessThanOrEqual(max)
            const lanes = indexes.map((index) => requests[index]!.lane)
            expect(new Set(lanes).size).toBe(lanes.length)
            await nextTurn()
            if (lost.next().value && indexes.length > 1) throw new Error('lost')
            if (indexes.some((index) => requests[index]!.isPoison)) throw new Error('poisoned')
            return indexes.map((index) => {
              if (left[index]! > 0) {
                left[index]!--
                return again
              }
              settled.push(index)
              return index
            })
          },
          lane: (index) => requests[index]!.lane,
          max,
          maxQueued: requests.length,
          isRetryable: (error) => (error as Error).message === 'lost',
          isUnavailable: () => false,
        })
        const answers = await Promise.allSettled(
          requests.map(async ({ pause }, index) => {
            for (let turn = 0; turn < pause; turn++) await nextTurn()
            return submit(index)
          }),
        )
        expect(answers).toEqual(
          requests.map(({ isPoison }, index) =>
            isPoison
              ? { status: 'rejected', reason: new Error('poisoned') }
              : { status: 'fulfilled', value: index },
          ),
        )
        expect(settled.toSorted((a, b) => a - b)).toEqual(
          requests.flatMap(({ isPoison }, index) => (isPoison ? [] : [index])),
        )
        // Those that paused equally long arrived in the order of their index.
        for (const lane of ['red', 'green', 'blue']) {
          const order = settled.filter((index) => requests[index]!.lane === lane)
          const arrivals = order.map((index) => requests[index]!.pause * 1_000 + index)
          expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b))
        }
      },
    ),
    { numRuns: 100 },
  )
})
