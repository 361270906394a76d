import type { Consumer } from '../events/bus.ts'
import type { Event } from '../events/event.ts'
import type { QueueStore } from './queue-store.ts'

/**
 * Does again, from events, what requests do to sessions, in case a process died between the two: a hold lets the
 * session run to its deadline, a payment ends it. Both are idempotent.
 */
export function followEvents(store: QueueStore): Consumer {
  return {
    name: 'queue-sessions',
    types: ['reservation.held', 'payment.completed'],
    effect: 'idempotent',
    async handle(events) {
      const held = events.filter((event) => event.type === 'reservation.held') as Event<'reservation.held'>[]
      const paid = events.filter(
        (event) => event.type === 'payment.completed',
      ) as Event<'payment.completed'>[]
      const extensions = held
        .map(({ data }) => ({
          concertId: data.concertId,
          userId: data.userId,
          number: data.queueNumber,
          until: new Date(data.heldUntil),
        }))
        .filter(({ until }) => until.getTime() > Date.now())
      if (extensions.length > 0) await store.extend(extensions)
      if (paid.length > 0) {
        await store.end(
          paid.map(({ data }) => ({
            concertId: data.concertId,
            userId: data.userId,
            number: data.queueNumber,
            reason: 'completed',
          })),
        )
      }
    },
  }
}
