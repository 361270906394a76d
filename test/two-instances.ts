import { Client, Fan } from './client.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { startService, type TestService } from './service.ts'

export type TwoInstances = {
  database: TestDatabase
  clients: [Client, Client]
  /** The instance that the `index`-th of many callers uses: they take turns. */
  instance: (index: number) => Client
  /** The same fan, through the `index`-th caller's instance. */
  as: (fan: Fan, index: number) => Fan
  [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Two instances of the whole service on one fresh database. `second` are settings that only the second one has;
 * `connections` is how many requests may be on their way to each.
 */
export async function twoInstances(
  settings: Record<string, string> = {},
  { second = {}, connections = 64 }: { second?: Record<string, string>; connections?: number } = {},
): Promise<TwoInstances> {
  const database = await freshDatabase()
  const services: [TestService, TestService] = [
    await startService(database.url, settings),
    await startService(database.url, { ...settings, ...second }),
  ]
  const clients: [Client, Client] = [
    new Client(services[0].url, connections),
    new Client(services[1].url, connections),
  ]
  const instance = (index: number) => clients[index % 2 === 0 ? 0 : 1]
  return {
    database,
    clients,
    instance,
    as: (fan, index) => fan.through(instance(index)),
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()))
      await Promise.all(services.map((service) => service.close()))
      await database[Symbol.asyncDispose]()
    },
  }
}

/** Runs `work` for 0 to `count` − 1, all at once. */
export function all<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)))
}

/** How many of each status there are. */
export function countStatuses(answers: { status: number }[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}
