import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { again, batch, type BatchOptions } from './batch.ts'

/** Lets everything happen that can happen by itself. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn()
}

type Options = BatchOptions<string, string>

/** A batch that answers each request with its own text, and whose runs end when the test says so. */
function heldBatch(options: Partial<Options> = {}) {
  const runs: string[][] = []
  let end: (error?: Error) => void = () => {}
  const submit = batch<string, string>({
    run: (requests) =>
      new Promise((resolve, reject) => {
        runs.push(requests)
        end = (error) => (error ? reject(error) : resolve(requests))
      }),
    max: 100,
    maxQueued: 100,
    isRetryable: () => false,
    isUnavailable: () => false,
    ...options,
  })
  return {
    submit,
    runs,
    /** Ends the latest run, and waits for what follows from that. */
    end: async (error?: Error) => {
      end(error)
      await turns()
    },
  }
}

/**
 * Submits `requests` while a first one, `x`, is being run, so that they are together afterwards. `decide` settles each
 * run after that. Gives what became of them, and what was run after the first.
 */
async function together(requests: string[], decide: Options['run'], options: Partial<Options> = {}) {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  const runs: string[][] = []
  const submit = batch<string, string>({
    run: async (texts) => {
      if (texts.includes('x')) {
        await gate
        return texts
      }
      runs.push(texts)
      await nextTurn()
      return decide(texts)
    },
    max: 100,
    maxQueued: 100,
    isRetryable: () => false,
    isUnavailable: () => false,
    ...options,
  })
  const first = submit('x')
  await turns()
  const settled = Promise.allSettled(requests.map(submit))
  open()
  await first
  const answers = (await settled).map((answer) =>
    answer.status === 'fulfilled' ? answer.value : (answer.reason as Error).message,
  )
  return { answers, runs, submit }
}

const echo: Options['run'] = (texts) => Promise.resolve(texts)

describe('grouping', () => {
  test('a request alone is run alone; those that arrive meanwhile are the next run, in their order', async () => {
    const { submit, runs, end } = heldBatch()
    const answers = [submit('a')]
    await turns()
    answers.push(submit('b'), submit('c'))
    await turns()
    expect(runs).toEqual([['a']])
    await end()
    answers.push(submit('d'))
    await turns()
    expect(runs).toEqual([['a'], ['b', 'c']])
    await end()
    await end()
    expect(runs).toEqual([['a'], ['b', 'c'], ['d']])
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('it starts again after it has been idle', async () => {
    const { submit, runs, end } = heldBatch()
    for (const text of ['a', 'b']) {
      const answer = submit(text)
      await turns()
      await end()
      expect(await answer).toBe(text)
    }
    expect(runs).toEqual([['a'], ['b']])
  })

  test('a run is never larger than the most', async () => {
    const { answers, runs } = await together(['a', 'b', 'c', 'd', 'e'], echo, { max: 2 })
    expect(runs).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(answers).toEqual(['a', 'b', 'c', 'd', 'e'])
  })
})

test('requests of one lane never share a run and are settled in the order they came', async () => {
  const { answers, runs } = await together(['a1', 'a2', 'b1', 'a3'], echo, { lane: (text) => text.charAt(0) })
  expect(runs).toEqual([['a1', 'b1'], ['a2'], ['a3']])
  expect(answers).toEqual(['a1', 'a2', 'b1', 'a3'])
})

test('a request that could not be decided is asked again before newer ones', async () => {
  const asked = new Set<string>()
  const { answers, runs } = await together(
    ['a', 'b', 'c', 'd', 'e', 'f'],
    async (texts) =>
      texts.map((text) => {
        const isUndecided = text === 'b' && !asked.has(text)
        asked.add(text)
        return isUndecided ? again : text
      }),
    { max: 3 },
  )
  expect(runs).toEqual([['a', 'b', 'c'], ['b', 'd', 'e'], ['f']])
  expect(answers).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})

describe('shedding', () => {
  const shed = { code: 'unavailable', retryAfterSeconds: 1 }

  test('past the most that may wait a request is refused as unavailable, and others are not harmed', async () => {
    const { submit, end } = heldBatch({ maxQueued: 3 })
    const answers = [submit('a')]
    await turns()
    answers.push(submit('b'), submit('c'))
    await expect(submit('d')).rejects.toMatchObject(shed)
    await end()
    // One has been settled, so one more may wait.
    answers.push(submit('e'))
    await expect(submit('f')).rejects.toMatchObject(shed)
    await end()
    await end()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'e'])
  })

  test('requests that wait in a lane count, too', async () => {
    const { submit, end } = heldBatch({ maxQueued: 2, lane: () => 'one' })
    const answers = ['a', 'b'].map(submit)
    await expect(submit('c')).rejects.toMatchObject(shed)
    await turns()
    await end()
    await end()
    expect(await Promise.all(answers)).toEqual(['a', 'b'])
  })

  test('failures give their places back', async () => {
    const { submit, end } = heldBatch({ maxQueued: 1 })
    for (let round = 0; round < 3; round++) {
      const failing = submit('a').catch(String)
      await turns()
      await end(new Error('broken'))
      expect(await failing).toBe('Error: broken')
    }
    const answer = submit('b')
    await turns()
    await end()
    expect(await answer).toBe('b')
  })
})

describe('failures', () => {
  const failOn = (culprit: string): Options['run'] => {
    return async (texts) => {
      if (texts.includes(culprit)) throw new Error('failed')
      return texts
    }
  }
  const failOnce = (): Options['run'] => {
    let hasFailed = false
    return async (texts) => {
      if (hasFailed) return texts
      hasFailed = true
      throw new Error('failed')
    }
  }

  test('one poisoned request fails alone', async () => {
    const { answers } = await together(['a', 'poison', 'b'], failOn('poison'))
    expect(answers).toEqual(['a', 'failed', 'b'])
  })

  test('a lost race is run again as it was, and nobody hears of it', async () => {
    const { answers, runs } = await together(['a', 'b'], failOnce(), { isRetryable: () => true })
    expect(answers).toEqual(['a', 'b'])
    expect(runs).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
  })

  test('a request alone may lose many races before it fails', async () => {
    let lost = 0
    const options = { isRetryable: () => true }
    const lose = (times: number): Options['run'] => {
      return async (texts) => {
        if (lost++ < times) throw new Error('failed')
        return texts
      }
    }
    expect((await together(['a'], lose(15), options)).answers).toEqual(['a'])
    lost = 0
    expect((await together(['a'], lose(1_000), options)).answers).toEqual(['failed'])
    expect(lost).toBeLessThan(100)
  })

  test('a batch that keeps losing is taken apart, so that one unlucky request does not hold up the others', async () => {
    const { answers } = await together(['a', 'unlucky', 'b'], failOn('unlucky'), { isRetryable: () => true })
    expect(answers).toEqual(['a', 'failed', 'b'])
  })

  test('when the dependency is away all are told at once, nothing is run singly, and the next may try', async () => {
    const { answers, runs, submit } = await together(['a', 'b'], failOnce(), { isUnavailable: () => true })
    expect(answers).toEqual(['failed', 'failed'])
    expect(runs).toEqual([['a', 'b']])
    expect(await submit('c')).toBe('c')
  })

  test('a run that succeeded with the wrong number of outcomes is not run again', async () => {
    const { answers, runs } = await together(['a', 'b'], async (texts) => texts.slice(1))
    expect(answers).toEqual(Array(2).fill('a batch of 2 came back as 1'))
    expect(runs).toEqual([['a', 'b']])
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
