import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = {
  registry: Registry
  /** Counts requests and how long they took, by route and status. */
  observeRequests: (app: FastifyInstance) => void
  /** How many requests one statement took. */
  batchSize: (statement: string) => (size: number) => void
  counter: (name: string, help: string) => Counter
  /** A number that is read when it is asked for. */
  gauge: (name: string, help: string, read: () => number) => void
}

/** What the service tells Prometheus of itself. */
export function openMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const batches = new Histogram({
    name: 'batch_size',
    help: 'Requests settled by one statement',
    labelNames: ['statement'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers: [registry],
  })
  return {
    registry,
    observeRequests(app) {
      const durations = new Histogram({
        name: 'http_request_seconds',
        help: 'Time from a request to its answer',
        labelNames: ['method', 'route', 'status'],
        buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
        registers: [registry],
      })
      // Looked up by one short text: putting the labels together cost more than the rest of a waiting fan's answer.
      const known = new Map<string, ReturnType<typeof durations.labels>>()
      app.addHook('onResponse', (request, reply, done) => {
        const { method } = request
        const route = request.routeOptions.url ?? 'none'
        const status = reply.statusCode
        const name = `${method} ${status} ${route}`
        let series = known.get(name)
        if (!series) {
          series = durations.labels({ method, route, status })
          known.set(name, series)
        }
        series.observe(reply.elapsedTime / 1000)
        done()
      })
    },
    batchSize: (statement) => {
      const sizes = batches.labels({ statement })
      return (size) => sizes.observe(size)
    },
    counter: (name, help) => new Counter({ name, help, registers: [registry] }),
    gauge: (name, help, read) => {
      const gauge: Gauge = new Gauge({
        name,
        help,
        registers: [registry],
        collect: () => gauge.set(read()),
      })
    },
  }
}
