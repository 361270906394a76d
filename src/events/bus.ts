import type { Tx } from '../platform/postgres/database.ts'
import type { EventType } from './catalogue.ts'
import type { Event } from './event.ts'

/**
 * Something that acts on events. It may be given an event more than once and must have its effect once: either the
 * effect is idempotent by nature, or it is written through `tx`, in one transaction with the mark in the inbox.
 */
export type Consumer = {
  name: string
  types: readonly EventType[]
} & (
  | { effect: 'idempotent'; handle: (events: Event[]) => Promise<void> }
  | { effect: 'transactional'; handle: (events: Event[], tx: Tx) => Promise<void> }
)

/** Carries events from the relay to the consumers, in order per key, at least once. */
export type Bus = {
  /** Resolves when the events are safe: with the broker, or dealt with by every consumer. */
  publish: (events: Event[]) => Promise<void>
}
