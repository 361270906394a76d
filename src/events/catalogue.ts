import Type, { type Static, type TSchema } from 'typebox'

const uuid = Type.String({ format: 'uuid' })
const reservation = {
  reservationId: uuid,
  userId: uuid,
  concertId: Type.Integer(),
  showId: Type.Integer(),
  seats: Type.Array(Type.Integer()),
}

/**
 * Every event that the service tells others, with its topic, its version and the form of its data. The key of an
 * event keeps what must stay in order together: a reservation's life, a payment, a fan's balance, a concert.
 */
export const catalogue = {
  'reservation.held': {
    topic: 'frontrow.reservations',
    version: 1,
    description: 'Seats are held for a fan until heldUntil.',
    data: Type.Object({
      ...reservation,
      total: Type.Integer(),
      heldUntil: Type.String({ format: 'date-time' }),
      queueNumber: Type.Integer(),
    }),
  },
  'reservation.expired': {
    topic: 'frontrow.reservations',
    version: 1,
    description: 'A hold reached its deadline unpaid. Its seats were free from then on.',
    data: Type.Object(reservation),
  },
  'reservation.cancelled': {
    topic: 'frontrow.reservations',
    version: 1,
    description: 'A fan gave up a hold.',
    data: Type.Object(reservation),
  },
  'payment.completed': {
    topic: 'frontrow.payments',
    version: 1,
    description: 'A reservation is paid; its seats are the fan’s.',
    data: Type.Object({
      paymentId: uuid,
      ...reservation,
      amount: Type.Integer(),
      queueNumber: Type.Integer(),
    }),
  },
  'balance.charged': {
    topic: 'frontrow.balances',
    version: 1,
    description: 'A fan added to the balance.',
    data: Type.Object({ chargeId: uuid, userId: uuid, amount: Type.Integer(), balance: Type.Integer() }),
  },
  'concert.created': {
    topic: 'frontrow.concerts',
    version: 1,
    description: 'A concert was put up for sale.',
    data: Type.Object({ concertId: Type.Integer() }),
  },
  'concert.opened': {
    topic: 'frontrow.concerts',
    version: 1,
    description: 'The sale of a concert has opened.',
    data: Type.Object({ concertId: Type.Integer() }),
  },
  'concert.sold-out': {
    topic: 'frontrow.concerts',
    version: 1,
    description: 'The last seat of a concert was sold.',
    data: Type.Object({ concertId: Type.Integer() }),
  },
} as const satisfies Record<string, { topic: string; version: number; description: string; data: TSchema }>

export type EventType = keyof typeof catalogue

export type EventData<T extends EventType> = Static<(typeof catalogue)[T]['data']>
