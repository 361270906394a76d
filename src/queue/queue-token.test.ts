import { createHmac, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { accessTokens, deriveKey } from '../users/access-token.ts'
import { queueTokens } from './queue-token.ts'

const secret = 'a secret of the tests, long enough to be one'
const tokens = queueTokens(secret)
const place = { concertId: 7, userId: '0190b0a0-0000-7000-8000-000000000001', number: 12 }

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url')
const claims = { sub: place.userId, concert: 7, number: 12 }

/** A token put together by hand. */
function forge(header: unknown, payload: unknown, key: Buffer | string, hash = 'sha256'): string {
  const signed = `${encode(header)}.${encode(payload)}`
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`
}

test('a proof says whose place it is, in which line, which number, and when it was given', () => {
  fc.assert(
    fc.property(
      fc.uuid(),
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      fc.maxSafeNat(),
      (userId, concertId, number) => {
        const given = { userId, concertId, number }
        expect(tokens.verify(tokens.sign(given))).toEqual(given)
      },
    ),
    { numRuns: 50 },
  )
  const [, payload] = tokens.sign(place).split('.')
  expect(JSON.parse(Buffer.from(payload!, 'base64url').toString())).toEqual({
    ...claims,
    iat: expect.any(Number),
  })
})

test('a proof is good in every instance with the same secret, and in no other', () => {
  expect(queueTokens(secret).verify(tokens.sign(place))).toEqual(place)
  expect(queueTokens(`${secret}.`).verify(tokens.sign(place))).toBeUndefined()
})

test('a proof of another number, concert or fan cannot be made of a good one', () => {
  const [header, payload, signature] = tokens.sign(place).split('.') as [string, string, string]
  for (const change of [{ number: 1 }, { concert: 8 }, { sub: randomUUID() }]) {
    const read = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect(tokens.verify(`${header}.${encode({ ...read, ...change })}.${signature}`)).toBeUndefined()
  }
  fc.assert(
    fc.property(fc.nat({ max: payload.length - 1 }), fc.constantFrom('A', 'b', '0', '_'), (at, letter) => {
      const changed = payload.slice(0, at) + letter + payload.slice(at + 1)
      const read = tokens.verify(`${header}.${changed}.${signature}`)
      expect(read).toEqual(changed === payload ? place : undefined)
    }),
  )
})

test('a proof without a signature, of another key or of another kind is none', () => {
  const header = { alg: 'HS256', typ: 'JWT' }
  const key = deriveKey(secret, 'queue token')
  expect(tokens.verify(forge(header, claims, key))).toEqual(place)
  const worthless = [
    '',
    'nonsense',
    '..',
    `${encode({ alg: 'none' })}.${encode(claims)}.`,
    `${encode({ alg: 'none' })}.${encode(claims)}`,
    forge({ alg: 'none' }, claims, key),
    forge({ alg: 'HS512' }, claims, key, 'sha512'),
    forge({ alg: 'RS256' }, claims, key),
    forge(header, claims, secret),
    forge(header, claims, deriveKey(secret, 'access token')),
    forge(header, { sub: place.userId, concert: 7 }, key),
    forge(header, { concert: 7, number: 12 }, key),
    accessTokens(secret, 3_600).sign(place.userId).accessToken,
  ]
  expect(worthless.map((token) => tokens.verify(token))).toEqual(worthless.map(() => undefined))
})
