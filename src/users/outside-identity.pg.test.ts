import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey } from 'jose'
import { describe, expect, test } from 'vitest'
import { Client, createConcert } from '../../test/client.ts'
import { freshDatabase } from '../../test/database.ts'
import { expectInvariants } from '../../test/sale.ts'
import { operatorToken, startService } from '../../test/service.ts'
import { sql } from '../platform/postgres/sql.ts'

const audience = 'frontrow'

/** An identity provider on loopback: its discovery document, its keys, and tokens signed with them. */
class Issuer {
  url = ''
  /** How it answers when asked for its keys. */
  keysStatus = 200
  requests = 0
  readonly #server: Server
  readonly #key: { kid: string; privateKey: CryptoKey; publicKey: CryptoKey }

  private constructor(key: { privateKey: CryptoKey; publicKey: CryptoKey }) {
    this.#key = { kid: randomUUID(), ...key }
    this.#server = createServer(async (request, response) => {
      this.requests++
      response.setHeader('content-type', 'application/json')
      if (request.url === '/.well-known/openid-configuration') {
        response.end(JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/keys` }))
      } else {
        response.statusCode = this.keysStatus
        const jwk = {
          ...(await exportJWK(this.#key.publicKey)),
          kid: this.#key.kid,
          alg: 'RS256',
          use: 'sig',
        }
        response.end(this.keysStatus === 200 ? JSON.stringify({ keys: [jwk] }) : 'not now')
      }
    })
  }

  static async open(): Promise<Issuer> {
    const issuer = new Issuer(await generateKeyPair('RS256', { extractable: true }))
    await issuer.listen(0)
    return issuer
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve)
    })
    const address = this.#server.address()
    this.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => {
      this.#server.close(resolve)
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A token for that subject; `change` says what is wrong with it. */
  sign(
    subject: string | undefined,
    change: {
      issuer?: string
      audience?: string | string[] | null
      expiresIn?: string | null
      notBefore?: string
      kid?: string
      key?: CryptoKey
      name?: unknown
    } = {},
  ): Promise<string> {
    const token = new SignJWT(change.name === undefined ? {} : { name: change.name })
      .setProtectedHeader({ alg: 'RS256', kid: change.kid ?? this.#key.kid })
      .setIssuer(change.issuer ?? this.url)
      .setIssuedAt()
    if (subject !== undefined) token.setSubject(subject)
    if (change.audience !== null) token.setAudience(change.audience ?? audience)
    if (change.expiresIn !== null) token.setExpirationTime(change.expiresIn ?? '1h')
    if (change.notBefore) token.setNotBefore(change.notBefore)
    return token.sign(change.key ?? this.#key.privateKey)
  }
}

const settings = (issuer: Issuer) => ({ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: audience })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const payments = (client: Client, token: string) => client.call('GET', '/v1/payments', bearer(token))

describe('a subject of the identity provider', () => {
  test('is the same user at every instance, from the very first requests on', async () => {
    await using issuer = await Issuer.open()
    await using database = await freshDatabase()
    await using one = await startService(database.url, settings(issuer))
    await using two = await startService(database.url, settings(issuer))
    const clients = [new Client(one.url), new Client(two.url)] as const
    const { concertId } = await createConcert(clients[0], operatorToken)

    const tokens = await Promise.all(['anna', 'berta'].map((subject) => issuer.sign(subject)))
    const joined = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        clients[index % 2]!.call(
          'POST',
          `/v1/concerts/${concertId}/queue`,
          bearer(tokens[(index >> 1) % 2]!),
        ),
      ),
    )
    expect(joined.map(({ status }) => status).filter((status) => status > 201)).toEqual([])
    const users = await database.query<{
      subject: string
      issuer: string
      places: number
      balance: number
    }>(sql`
      select u.subject, u.issuer, b.amount as balance,
             (select count(*)::int from queue_places p where p.user_id = u.id) as places
        from users u join balances b on b.user_id = u.id
       order by u.subject`)
    expect(users).toEqual([
      { subject: 'anna', issuer: issuer.url, places: 1, balance: 0 },
      { subject: 'berta', issuer: issuer.url, places: 1, balance: 0 },
    ])
    await expectInvariants(database)
    await Promise.all(clients.map((client) => client.close()))
  })

  test('buys like any fan, and is named as the provider names them', async () => {
    await using issuer = await Issuer.open()
    await using database = await freshDatabase()
    await using service = await startService(database.url, settings(issuer))
    const client = new Client(service.url)
    const access = bearer(
      await issuer.sign('anna', { name: 'Anna\u0000 Ahn', audience: ['others', audience] }),
    )
    const { concertId, showIds } = await createConcert(client, operatorToken)
    const { body: place } = await client.call('POST', `/v1/concerts/${concertId}/queue`, access)
    const [user] = await database.query<{ id: string; name: string }>(sql`select id, name from users`)
    expect(user?.name).toBe('Anna Ahn')
    const both = { ...access, 'queue-token': place['token'] }
    await client.call('POST', `/v1/users/${user!.id}/balance/charges`, access, { amount: 10_000 })
    const held = await client.call('POST', '/v1/reservations', both, { showId: showIds[0], seats: [1] })
    const { reservationId } = held.body
    expect(await client.call('POST', '/v1/payments', both, { reservationId })).toMatchObject({ status: 201 })
    // Another token of the same subject is the same fan.
    const later = bearer(await issuer.sign('anna'))
    expect((await client.call('GET', '/v1/payments', later)).body['payments']).toHaveLength(1)
    expect(
      (await client.call('GET', '/v1/payments', bearer(await issuer.sign('berta')))).body['payments'],
    ).toEqual([])
    await client.close()
  })

  test('is not to be confused with a fan who signed up here', async () => {
    await using issuer = await Issuer.open()
    await using database = await freshDatabase()
    await using service = await startService(database.url, settings(issuer))
    const client = new Client(service.url)
    const { body: fan } = await client.call('POST', '/v1/users', {}, { name: 'fan' })
    const token = await issuer.sign(fan['userId'])
    expect(await client.call('GET', `/v1/users/${fan['userId']}/balance`, bearer(token))).toMatchObject({
      status: 403,
      body: { code: 'not-yours' },
    })
    expect((await payments(client, fan['accessToken'])).status).toBe(200)
    await client.close()
  })
})

describe('a token', () => {
  test('that is expired, early, for others, by others, of another key or incomplete is refused', async () => {
    await using issuer = await Issuer.open()
    await using other = await Issuer.open()
    await using database = await freshDatabase()
    await using service = await startService(database.url, settings(issuer))
    const client = new Client(service.url)
    const { privateKey } = await generateKeyPair('RS256')
    const secret = new TextEncoder().encode('guessed, or read from a published example')
    const worthless = await Promise.all([
      issuer.sign('anna', { expiresIn: '-1s' }),
      issuer.sign('anna', { notBefore: '1h' }),
      issuer.sign('anna', { audience: 'another service' }),
      issuer.sign('anna', { audience: null }),
      issuer.sign('anna', { expiresIn: null }),
      issuer.sign('anna', { key: privateKey }),
      issuer.sign('anna', { kid: 'unknown' }),
      issuer.sign('anna', { issuer: `${issuer.url}/` }),
      issuer.sign(undefined),
      issuer.sign('an\u0000na'),
      other.sign('anna'),
      other.sign('anna', { issuer: issuer.url }),
      new SignJWT({ sub: 'anna', iss: issuer.url, aud: audience, exp: 9_999_999_999 })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(secret),
    ])
    worthless.push(
      new UnsecuredJWT({ sub: 'anna', iss: issuer.url, aud: audience, exp: 9_999_999_999 }).encode(),
    )
    const answers = await Promise.all(worthless.map((token) => payments(client, token)))
    expect(answers.map(({ status, body }) => [status, body['code']])).toEqual(
      worthless.map(() => [401, 'unauthenticated']),
    )
    expect(await database.query(sql`select id from users`)).toEqual([])
    expect((await payments(client, await issuer.sign('anna'))).status).toBe(200)
    await client.close()
  })

  test('of a provider that is not ours is nobody’s when there is no provider at all', async () => {
    await using issuer = await Issuer.open()
    await using database = await freshDatabase()
    await using service = await startService(database.url)
    const client = new Client(service.url)
    expect((await payments(client, await issuer.sign('anna'))).status).toBe(401)
    expect(issuer.requests).toBe(0)
    await client.close()
  })

  test('for anyone is taken where no audience is set', async () => {
    await using issuer = await Issuer.open()
    await using database = await freshDatabase()
    await using service = await startService(database.url, { OIDC_ISSUER: issuer.url })
    const client = new Client(service.url)
    const token = await issuer.sign('anna', { audience: 'another service' })
    expect((await payments(client, token)).status).toBe(200)
    await client.close()
  })
})

describe('a provider that is away', () => {
  test('makes its fans come back later and nobody else, and is asked again', async () => {
    await using issuer = await Issuer.open()
    const port = Number(new URL(issuer.url).port)
    await using database = await freshDatabase()
    await using service = await startService(database.url, settings(issuer))
    const client = new Client(service.url)
    const token = await issuer.sign('anna')
    const { body: fan } = await client.call('POST', '/v1/users', {}, { name: 'fan' })

    await issuer.close()
    const answer = await payments(client, token)
    expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } })
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    expect((await payments(client, fan['accessToken'])).status).toBe(200)

    await issuer.listen(port)
    // It is there, but has trouble with its keys.
    issuer.keysStatus = 500
    expect(await payments(client, token)).toMatchObject({ status: 503, body: { code: 'unavailable' } })
    issuer.keysStatus = 200
    expect((await payments(client, token)).status).toBe(200)
    await client.close()
  })

  test('is not missed for fans whose key is known already', async () => {
    await using issuer = await Issuer.open()
    await using database = await freshDatabase()
    await using service = await startService(database.url, settings(issuer))
    const client = new Client(service.url)
    expect((await payments(client, await issuer.sign('anna'))).status).toBe(200)
    await issuer.close()
    expect((await payments(client, await issuer.sign('berta'))).status).toBe(200)
    await client.close()
    await issuer.listen(0)
  })
})
