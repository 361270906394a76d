import { freshDatabase } from '../../test/database.ts'
import { describeBus } from './bus.contract.ts'
import { listDeadLetters } from './dead-letters.ts'
import { inProcessBus } from './in-process-bus.ts'

describeBus(async (consumers) => {
  const database = await freshDatabase()
  const stopping = new AbortController()
  const bus = inProcessBus(database, consumers, {
    signal: stopping.signal,
    onRetry: () => {},
    onDeadLetter: () => {},
  })
  return {
    bus,
    database,
    async deadLetters() {
      const { deadLetters } = await listDeadLetters(database, undefined, 50)
      return deadLetters.map(({ consumer, event, error }) => ({ consumer, eventId: event.id, error }))
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await database[Symbol.asyncDispose]()
    },
  }
})
