import type { Database } from '../platform/postgres/database.ts'
import type { Bus, Consumer } from './bus.ts'
import { consume, type ConsumeOptions } from './consume.ts'

/**
 * The bus of a service without a broker: publishing is delivering. Events stay in the outbox until every consumer has
 * dealt with them, so a kill at any point means delivering again, never losing.
 */
export function inProcessBus(database: Database, consumers: Consumer[], options: ConsumeOptions): Bus {
  return {
    async publish(events) {
      const deliveries = consumers.map((consumer) => consume(database, consumer, events, options))
      const failed = (await Promise.allSettled(deliveries)).find((delivery) => delivery.status === 'rejected')
      if (failed) throw failed.reason
    },
  }
}
