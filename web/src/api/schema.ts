// Made from the OpenAPI document by `npm run web:api`. Do not edit.

export type Calls = {
  signUp: {
    params: {}
    query: {}
    body: { name: string }
    answer: { userId: string; name: string; accessToken: string; accessTokenExpiresAt: string }
  }
  listConcerts: {
    params: {}
    query: { from?: string; to?: string; q?: string; cursor?: string; limit?: number }
    body: undefined
    answer: {
      concerts: Array<{
        concertId: number
        title: string
        artist: string
        venue: string
        status: 'upcoming' | 'on-sale' | 'sold-out' | 'closed'
        saleOpensAt: string
        saleClosesAt: string
        priceFrom: number
        priceTo: number
        seatsLeft: number
      }>
      nextCursor: string | null
    }
  }
  readConcert: {
    params: { concertId: number }
    query: {}
    body: undefined
    answer: {
      concertId: number
      title: string
      artist: string
      venue: string
      status: 'upcoming' | 'on-sale' | 'sold-out' | 'closed'
      saleOpensAt: string
      saleClosesAt: string
      priceFrom: number
      priceTo: number
      seatsLeft: number
      shows: Array<{ showId: number; startsAt: string }>
    }
  }
  listShows: {
    params: { concertId: number }
    query: {}
    body: undefined
    answer: {
      shows: Array<{
        showId: number
        startsAt: string
        seatsTotal: number
        seatsLeft: number
        priceFrom: number
        priceTo: number
      }>
    }
  }
  readSeats: {
    params: { showId: number }
    query: {}
    body: undefined
    answer: {
      showId: number
      seats: Array<{ number: number; price: number; state: 'available' | 'held' | 'sold' }>
    }
  }
  watchSeats: {
    params: { showId: number }
    query: {}
    body: undefined
    answer: undefined
  }
  readQueue: {
    params: { concertId: number }
    query: {}
    body: undefined
    answer: { serving: number; issued: number; admittedPerSecond: number; seatsLeft: number; paused: boolean }
  }
  joinQueue: {
    params: { concertId: number }
    query: {}
    body: {}
    answer: {
      token: string
      number: number
      status: 'waiting' | 'active' | 'ended'
      reason?: 'completed' | 'expired' | 'no-show' | 'left' | 'sold-out'
      ahead: number
      estimatedWaitSeconds: number
      pollAfterMs: number
      seatsLeft: number
      activeUntil: string | null
    }
  }
  readPlace: {
    params: {}
    query: {}
    body: undefined
    answer: {
      number: number
      status: 'waiting' | 'active' | 'ended'
      reason?: 'completed' | 'expired' | 'no-show' | 'left' | 'sold-out'
      ahead: number
      estimatedWaitSeconds: number
      pollAfterMs: number
      seatsLeft: number
      activeUntil: string | null
    }
  }
  leaveQueue: {
    params: {}
    query: {}
    body: undefined
    answer: undefined
  }
  watchPlace: {
    params: {}
    query: {}
    body: undefined
    answer: undefined
  }
  holdSeats: {
    params: {}
    query: {}
    body: { showId: number; seats: Array<number> }
    answer: {
      reservationId: string
      showId: number
      seats: Array<{ number: number; price: number }>
      total: number
      state: 'held'
      heldUntil: string
    }
  }
  listReservations: {
    params: {}
    query: { cursor?: string; limit?: number }
    body: undefined
    answer: {
      reservations: Array<{
        reservationId: string
        concertId: number
        showId: number
        seats: Array<{ number: number; price: number }>
        total: number
        state: 'held' | 'paid' | 'expired' | 'cancelled'
        heldUntil: string
        createdAt: string
      }>
      nextCursor: string | null
    }
  }
  readReservation: {
    params: { reservationId: string }
    query: {}
    body: undefined
    answer: {
      reservationId: string
      concertId: number
      showId: number
      seats: Array<{ number: number; price: number }>
      total: number
      state: 'held' | 'paid' | 'expired' | 'cancelled'
      heldUntil: string
      createdAt: string
    }
  }
  cancelHold: {
    params: { reservationId: string }
    query: {}
    body: undefined
    answer: undefined
  }
  readBalance: {
    params: { userId: string }
    query: {}
    body: undefined
    answer: { userId: string; balance: number }
  }
  chargeBalance: {
    params: { userId: string }
    query: {}
    body: { amount: unknown }
    answer: { chargeId: string; amount: number; balance: number }
  }
  listEntries: {
    params: { userId: string }
    query: { cursor?: string; limit?: number }
    body: undefined
    answer: {
      entries: Array<{
        entryId: number
        kind: 'charge' | 'payment' | 'refund'
        amount: number
        balance: number
        reference: string
        createdAt: string
      }>
      nextCursor: string | null
    }
  }
  payReservation: {
    params: {}
    query: {}
    body: { reservationId: string }
    answer: {
      paymentId: string
      reservationId: string
      showId: number
      seats: Array<{ number: number; price: number }>
      amount: number
      balance: number
      paidAt: string
    }
  }
  listPayments: {
    params: {}
    query: { cursor?: string; limit?: number }
    body: undefined
    answer: {
      payments: Array<{
        paymentId: string
        reservationId: string
        showId: number
        seats: Array<{ number: number; price: number }>
        amount: number
        balance: number
        paidAt: string
      }>
      nextCursor: string | null
    }
  }
  readPayment: {
    params: { paymentId: string }
    query: {}
    body: undefined
    answer: {
      paymentId: string
      reservationId: string
      showId: number
      seats: Array<{ number: number; price: number }>
      amount: number
      balance: number
      paidAt: string
    }
  }
}

export type CallFacts = { method: string; path: string; access?: true; place?: true; keyed?: true }

/** Every URL of the service that the pages use, with the tokens and the key that it takes. */
export const calls: Record<keyof Calls, CallFacts> = {
  signUp: { method: 'POST', path: '/v1/users' },
  listConcerts: { method: 'GET', path: '/v1/concerts' },
  readConcert: { method: 'GET', path: '/v1/concerts/{concertId}' },
  listShows: { method: 'GET', path: '/v1/concerts/{concertId}/shows', access: true, place: true },
  readSeats: { method: 'GET', path: '/v1/shows/{showId}/seats', access: true, place: true },
  watchSeats: { method: 'GET', path: '/v1/shows/{showId}/seats/events', access: true, place: true },
  readQueue: { method: 'GET', path: '/v1/concerts/{concertId}/queue' },
  joinQueue: { method: 'POST', path: '/v1/concerts/{concertId}/queue', access: true },
  readPlace: { method: 'GET', path: '/v1/queue', place: true },
  leaveQueue: { method: 'DELETE', path: '/v1/queue', place: true },
  watchPlace: { method: 'GET', path: '/v1/queue/events', place: true },
  holdSeats: { method: 'POST', path: '/v1/reservations', access: true, place: true, keyed: true },
  listReservations: { method: 'GET', path: '/v1/reservations', access: true },
  readReservation: { method: 'GET', path: '/v1/reservations/{reservationId}', access: true },
  cancelHold: { method: 'DELETE', path: '/v1/reservations/{reservationId}', access: true },
  readBalance: { method: 'GET', path: '/v1/users/{userId}/balance', access: true },
  chargeBalance: { method: 'POST', path: '/v1/users/{userId}/balance/charges', access: true, keyed: true },
  listEntries: { method: 'GET', path: '/v1/users/{userId}/balance/entries', access: true },
  payReservation: { method: 'POST', path: '/v1/payments', access: true, place: true, keyed: true },
  listPayments: { method: 'GET', path: '/v1/payments', access: true },
  readPayment: { method: 'GET', path: '/v1/payments/{paymentId}', access: true },
}
