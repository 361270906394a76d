import { expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { StartFailure } from './platform/start-failure.ts'

const root = '/srv/frontrow'
const secrets = { TOKEN_SECRET: 's'.repeat(32), OPERATOR_TOKEN: 'o'.repeat(16) }

/** What an operator is told of these settings. */
function faultsOf(environment: Record<string, string>): string {
  try {
    readConfig(environment, root)
  } catch (error) {
    if (error instanceof StartFailure) return error.message
    throw error
  }
  return 'none'
}

test('with nothing set it is a laptop: its own database, demo data, and reachable from there only', () => {
  expect(readConfig({}, root)).toEqual({
    port: 3000,
    host: 'localhost',
    databaseUrl: undefined,
    dataFolder: '/srv/frontrow/.data',
    databasePoolMax: 16,
    holdSeconds: 300,
    sessionSeconds: 600,
    claimSeconds: 30,
    queueCapacity: 100,
    queueRatePerSecond: 50,
    seatsPerReservationMax: 4,
    seatsPerUserMax: 4,
    chargeMax: 10_000_000,
    rateLimits: true,
    signUp: true,
    accessTokenSeconds: 2_592_000,
    oidc: undefined,
    tokenSecret: undefined,
    operatorToken: undefined,
    demoData: true,
    logLevel: 'info',
  })
})

test('with a database it is a server: reachable by others, without demo data, with secrets that are given', () => {
  const url = 'postgresql://frontrow:p%23ss@db.example:5432/frontrow'
  expect(readConfig({ DATABASE_URL: url, ...secrets }, root)).toMatchObject({
    databaseUrl: url,
    host: '0.0.0.0',
    demoData: false,
    tokenSecret: secrets.TOKEN_SECRET,
    operatorToken: secrets.OPERATOR_TOKEN,
  })
  expect(faultsOf({ DATABASE_URL: url })).toBe(
    [
      'The settings do not allow a start:',
      '  TOKEN_SECRET is required with DATABASE_URL, the same for every instance',
      '  OPERATOR_TOKEN is required with DATABASE_URL, the same for every instance',
    ].join('\n'),
  )
})

test('every setting does what its name says', () => {
  const config = readConfig(
    {
      PORT: '8080',
      HOST: '0.0.0.0',
      DATA_FOLDER: '/var/lib/frontrow',
      HOLD_SECONDS: '1',
      SESSION_SECONDS: '2',
      CLAIM_SECONDS: '3',
      QUEUE_CAPACITY: '5',
      QUEUE_RATE_PER_SECOND: '0.5',
      SEATS_PER_RESERVATION_MAX: '6',
      SEATS_PER_USER_MAX: '7',
      CHARGE_MAX: '8',
      RATE_LIMITS: 'off',
      SIGN_UP: 'off',
      ACCESS_TOKEN_SECONDS: '60',
      OIDC_ISSUER: 'https://id.example',
      OIDC_AUDIENCE: 'frontrow',
      DEMO_DATA: 'off',
      DATABASE_POOL_MAX: '4',
      LOG_LEVEL: 'silent',
      ...secrets,
    },
    root,
  )
  expect(config).toEqual({
    port: 8080,
    host: '0.0.0.0',
    databaseUrl: undefined,
    dataFolder: '/var/lib/frontrow',
    databasePoolMax: 4,
    holdSeconds: 1,
    sessionSeconds: 2,
    claimSeconds: 3,
    queueCapacity: 5,
    queueRatePerSecond: 0.5,
    seatsPerReservationMax: 6,
    seatsPerUserMax: 7,
    chargeMax: 8,
    rateLimits: false,
    signUp: false,
    accessTokenSeconds: 60,
    oidc: { issuer: 'https://id.example', audience: 'frontrow' },
    tokenSecret: secrets.TOKEN_SECRET,
    operatorToken: secrets.OPERATOR_TOKEN,
    demoData: false,
    logLevel: 'silent',
  })
})

test('all faults are named at once, each with what would be right, and no value is repeated', () => {
  const wrong = {
    PORT: '99999',
    HOLD_SECONDS: '5m',
    QUEUE_RATE_PER_SECOND: '0',
    RATE_LIMITS: 'yes',
    DATABASE_URL: 'mysql://frontrow:hunter2@db.example/frontrow',
    TOKEN_SECRET: 'too-short-to-be-one',
    OPERATOR_TOKEN: 'two words and more of them',
    LOG_LEVEL: 'loud',
  }
  expect(faultsOf(wrong).split('\n')).toEqual([
    'The settings do not allow a start:',
    '  PORT must be a whole number from 0 to 65535',
    '  DATABASE_URL must be a URL that begins with postgres://; what is special in its name or password (# / ? @ %) is percent-encoded',
    '  HOLD_SECONDS must be a whole number from 1 to 86400',
    '  QUEUE_RATE_PER_SECOND must be a number above 0, up to 1000000',
    '  RATE_LIMITS must be one of on, off',
    '  TOKEN_SECRET must be at least 32 visible characters',
    '  OPERATOR_TOKEN must be at least 16 visible characters',
    '  LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent',
  ])
})

test.each(['1e3', '0x50', '80.5', '-1', '８０', '65536', 'NaN', '+80'])('PORT=%s is no port', (port) => {
  expect(faultsOf({ PORT: port })).toContain('PORT must be a whole number from 0 to 65535')
})

test.each([
  'postgres://frontrow:hun#ter2@db.example/frontrow',
  'postgres://frontrow:hun/ter2@db.example/frontrow',
  'postgres://frontrow@db.example:99999/frontrow',
])('DATABASE_URL=%s is no URL, and that is said before anything is tried', (url) => {
  expect(faultsOf({ DATABASE_URL: url, ...secrets })).toContain('is percent-encoded')
})

test('an empty setting is one that is not set, and space around one is nothing', () => {
  expect(readConfig({ PORT: '', HOST: '  ', HOLD_SECONDS: ' 60 ' }, root)).toMatchObject({
    port: 3000,
    host: 'localhost',
    holdSeconds: 60,
  })
})
