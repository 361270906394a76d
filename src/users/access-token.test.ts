import { createHmac, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { queueTokens } from '../queue/queue-token.ts'
import { accessTokens, deriveKey } from './access-token.ts'

const secret = 'a secret of the tests, long enough to be one'
const userId = '0190b0a0-0000-7000-8000-000000000001'
const tokens = accessTokens(secret, 3_600)

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)
const good = () => ({ iss: 'frontrow', sub: userId, iat: now(), exp: now() + 60 })
const header = { alg: 'HS256', typ: 'JWT' }
const key = deriveKey(secret, 'access token')

/** A token put together by hand. */
function forge(head: unknown, payload: unknown, signedBy: Buffer | string, hash = 'sha256'): string {
  const signed = `${encode(head)}.${encode(payload)}`
  return `${signed}.${createHmac(hash, signedBy).update(signed).digest('base64url')}`
}

afterEach(() => {
  vi.useRealTimers()
})

test('a token names its user, in every instance with the same secret and in no other', () => {
  const { accessToken } = tokens.sign(userId)
  expect(accessTokens(secret, 60).verify(accessToken)).toBe(userId)
  expect(accessTokens(`${secret}.`, 60).verify(accessToken)).toBeUndefined()
})

test('a token is good until the moment that was told with it, also when it has been seen before', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2027-01-01T00:00:00.400Z') })
  const { accessToken, accessTokenExpiresAt } = tokens.sign(userId)
  expect(accessTokenExpiresAt).toEqual(new Date('2027-01-01T01:00:00Z'))
  vi.setSystemTime(accessTokenExpiresAt.getTime() - 1_000)
  expect(tokens.verify(accessToken)).toBe(userId)
  vi.setSystemTime(accessTokenExpiresAt.getTime() + 1)
  expect(tokens.verify(accessToken)).toBeUndefined()
  expect(accessTokens(secret, 3_600).verify(accessToken)).toBeUndefined()
})

test('a good token cannot be changed into another', () => {
  const { accessToken } = tokens.sign(userId)
  const [head, payload, signature] = accessToken.split('.') as [string, string, string]
  const read = JSON.parse(Buffer.from(payload, 'base64url').toString())
  for (const change of [{ sub: randomUUID() }, { exp: read.exp + 1 }, { iss: 'other' }]) {
    expect(tokens.verify(`${head}.${encode({ ...read, ...change })}.${signature}`)).toBeUndefined()
  }
  fc.assert(
    fc.property(fc.nat({ max: payload.length - 1 }), fc.constantFrom('A', 'b', '0', '_'), (at, letter) => {
      const changed = payload.slice(0, at) + letter + payload.slice(at + 1)
      expect(tokens.verify(`${head}.${changed}.${signature}`)).toBe(changed === payload ? userId : undefined)
    }),
  )
})

describe('no token at all', () => {
  test('is one put together with everything right but the right key', () => {
    // What the forger does works with the key.
    expect(tokens.verify(forge(header, good(), key))).toBe(userId)
    const worthless = [
      forge(header, good(), secret),
      forge(header, good(), deriveKey(secret, 'queue token')),
      forge(header, good(), ''),
    ]
    expect(worthless.map((token) => tokens.verify(token))).toEqual(worthless.map(() => undefined))
  })

  test('is one that says itself how it need not be checked', () => {
    const worthless = [
      `${encode({ alg: 'none' })}.${encode(good())}.`,
      `${encode({ alg: 'None', typ: 'JWT' })}.${encode(good())}.`,
      forge({ alg: 'none' }, good(), key),
      forge({ alg: 'HS512' }, good(), key, 'sha512'),
      forge({ alg: 'RS256' }, good(), key),
    ]
    expect(worthless.map((token) => tokens.verify(token))).toEqual(worthless.map(() => undefined))
  })

  test('is one without a user, an end or our name, or past its end', () => {
    const { sub: _sub, ...nobody } = good()
    const { exp: _exp, ...endless } = good()
    const { iss: _iss, ...anyone } = good()
    const worthless = [
      nobody,
      endless,
      anyone,
      { ...good(), iss: 'https://elsewhere.example' },
      { ...good(), exp: now() - 1 },
      { ...good(), exp: 'never' },
    ].map((payload) => forge(header, payload, key))
    expect(worthless.map((token) => tokens.verify(token))).toEqual(worthless.map(() => undefined))
  })

  test('is a place in line, or anything else', () => {
    const place = queueTokens(secret).sign({ userId, concertId: 1, number: 1 })
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.constant(place)), (text) => {
        expect(tokens.verify(text)).toBeUndefined()
      }),
    )
  })
})
