import { catalogue, type EventData, type EventType } from './catalogue.ts'

/** A CloudEvent 1.0 in JSON. `subject` is the key: events of one key arrive in order. */
export type Event<T extends EventType = EventType> = {
  specversion: '1.0'
  id: string
  source: 'urn:frontrow'
  type: T
  subject: string
  time: string
  datacontenttype: 'application/json'
  dataschema: string
  data: EventData<T>
}

export type OutboxRow = {
  position: number
  event_id: string
  key: string
  type: EventType
  data: unknown
  occurred_at: Date
}

/** The event that a row of the outbox stands for. */
export function toEvent(row: OutboxRow): Event {
  return {
    specversion: '1.0',
    id: row.event_id,
    source: 'urn:frontrow',
    type: row.type,
    subject: row.key,
    time: row.occurred_at.toISOString(),
    datacontenttype: 'application/json',
    dataschema: `urn:frontrow:event:${row.type}:${catalogue[row.type].version}`,
    data: row.data as EventData<EventType>,
  }
}
