import { Pool } from 'undici'

export type Answer<Body = Record<string, any>> = {
  status: number
  body: Body
  headers: Record<string, string | string[] | undefined>
}

export type Headers = Record<string, string>

/** A client of one instance: JSON in and out, any number of requests at once over a bounded number of connections. */
export class Client {
  readonly url: string
  readonly #pool: Pool

  constructor(url: string, connections = 64) {
    this.url = url
    this.#pool = new Pool(url, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 })
  }

  /** Sends one request. A body that is a string is sent as it is; anything else as JSON. */
  async call<Body = Record<string, any>>(
    method: 'GET' | 'POST' | 'DELETE' | 'PATCH' | 'PUT',
    path: string,
    headers: Headers = {},
    body?: unknown,
  ): Promise<Answer<Body>> {
    const {
      statusCode,
      headers: received,
      body: stream,
    } = await this.#pool.request({
      method,
      path,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await stream.text()
    return { status: statusCode, body: (text ? JSON.parse(text) : {}) as Body, headers: received }
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }
}

/** A fan who uses the service as a page would. Every method answers what the service answered, whatever it was. */
export class Fan {
  readonly client: Client
  readonly userId: string
  readonly accessToken: string
  queueToken = ''

  private constructor(client: Client, userId: string, accessToken: string) {
    this.client = client
    this.userId = userId
    this.accessToken = accessToken
  }

  static async signUp(client: Client, name = 'fan'): Promise<Fan> {
    const { status, body } = await client.call('POST', '/v1/users', {}, { name })
    if (status !== 201) throw new Error(`signing up answered ${status} ${JSON.stringify(body)}`)
    return new Fan(client, body['userId'], body['accessToken'])
  }

  /** The same fan, through another instance. */
  through(client: Client): Fan {
    const fan = new Fan(client, this.userId, this.accessToken)
    fan.queueToken = this.queueToken
    return fan
  }

  get access(): Headers {
    return { authorization: `Bearer ${this.accessToken}` }
  }

  get both(): Headers {
    return { ...this.access, 'queue-token': this.queueToken }
  }

  async join(concertId: number): Promise<Answer> {
    const answer = await this.client.call('POST', `/v1/concerts/${concertId}/queue`, this.access)
    if (answer.status < 300) this.queueToken = answer.body['token']
    return answer
  }

  place(): Promise<Answer> {
    return this.client.call('GET', '/v1/queue', { 'queue-token': this.queueToken })
  }

  leave(): Promise<Answer> {
    return this.client.call('DELETE', '/v1/queue', { 'queue-token': this.queueToken })
  }

  hold(showId: number, seats: number[], key?: string): Promise<Answer> {
    return this.client.call('POST', '/v1/reservations', { ...this.both, ...keyed(key) }, { showId, seats })
  }

  cancel(reservationId: string): Promise<Answer> {
    return this.client.call('DELETE', `/v1/reservations/${reservationId}`, this.access)
  }

  charge(amount: number, key?: string): Promise<Answer> {
    const path = `/v1/users/${this.userId}/balance/charges`
    return this.client.call('POST', path, { ...this.access, ...keyed(key) }, { amount })
  }

  balance(): Promise<Answer> {
    return this.client.call('GET', `/v1/users/${this.userId}/balance`, this.access)
  }

  pay(reservationId: string, key?: string): Promise<Answer> {
    return this.client.call('POST', '/v1/payments', { ...this.both, ...keyed(key) }, { reservationId })
  }
}

function keyed(key: string | undefined): Headers {
  return key === undefined ? {} : { 'idempotency-key': key }
}

export type NewShow = { seats?: number; price?: number }

/** Puts a concert up for sale, open now unless said otherwise, and answers its id and its shows' ids. */
export async function createConcert(
  client: Client,
  operatorToken: string,
  options: {
    shows?: NewShow[]
    capacity?: number
    ratePerSecond?: number
    saleOpensAt?: Date
    saleClosesAt?: Date
  } = {},
): Promise<{ concertId: number; showIds: number[] }> {
  const hourMs = 3_600_000
  const { status, body } = await client.call(
    'POST',
    '/v1/operator/concerts',
    { authorization: `Bearer ${operatorToken}` },
    {
      title: 'A concert of the tests',
      artist: 'Test Ensemble',
      venue: 'Test Hall',
      saleOpensAt: (options.saleOpensAt ?? new Date(Date.now() - hourMs)).toISOString(),
      saleClosesAt: (options.saleClosesAt ?? new Date(Date.now() + 24 * hourMs)).toISOString(),
      queue: { capacity: options.capacity ?? 1_000_000, ratePerSecond: options.ratePerSecond ?? 1_000_000 },
      shows: (options.shows ?? [{}]).map(({ seats = 50, price = 10_000 }, index) => ({
        startsAt: new Date(Date.now() + (48 + index) * hourMs).toISOString(),
        seats: [{ from: 1, to: seats, price }],
      })),
    },
  )
  if (status !== 201) throw new Error(`creating a concert answered ${status} ${JSON.stringify(body)}`)
  return {
    concertId: body['concertId'],
    showIds: body['shows'].map((show: { showId: number }) => show.showId),
  }
}
