import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { limits } from './limits.ts'
import { StartFailure } from './platform/start-failure.ts'

const integer = (minimum: number, maximum: number, value: number) =>
  Type.Integer({ minimum, maximum, default: value })
const onOff = (value?: 'on' | 'off') => Type.Enum(['on', 'off'], value ? { default: value } : {})

const url = (example: string, pattern: string) =>
  Type.Optional(
    Type.Refine(
      Type.String({
        pattern,
        description: `a URL that begins with ${example}; what is special in its name or password (# / ? @ %) is percent-encoded`,
      }),
      (text) => URL.canParse(text),
    ),
  )

const day = 86_400

/** Every setting, by its name in the environment, with its bounds and its default. */
const settings = Type.Object({
  PORT: integer(0, 65_535, 3000),
  HOST: Type.Optional(Type.String({ minLength: 1 })),
  DATABASE_URL: url('postgres://', '^postgres(ql)?://'),
  DATA_FOLDER: Type.Optional(Type.String({ minLength: 1 })),
  HOLD_SECONDS: integer(1, day, 300),
  SESSION_SECONDS: integer(1, day, 600),
  CLAIM_SECONDS: integer(1, day, 30),
  QUEUE_CAPACITY: integer(1, limits.queueCapacity, 100),
  QUEUE_RATE_PER_SECOND: Type.Number({
    exclusiveMinimum: 0,
    maximum: limits.queueRatePerSecond,
    default: 50,
  }),
  SEATS_PER_RESERVATION_MAX: integer(1, limits.seatNumbersPerRequest, 4),
  SEATS_PER_USER_MAX: integer(1, 10_000, 4),
  CHARGE_MAX: integer(1, 1_000_000_000_000, 10_000_000),
  RATE_LIMITS: onOff('on'),
  SIGN_UP: onOff('on'),
  // The token is all that a fan has who signed up here: a balance must not be out of reach after a day.
  ACCESS_TOKEN_SECONDS: integer(60, 365 * day, 30 * day),
  OIDC_ISSUER: url('https://', '^https?://.'),
  OIDC_AUDIENCE: Type.Optional(Type.String({ minLength: 1 })),
  TOKEN_SECRET: Type.Optional(Type.String({ minLength: 32 })),
  OPERATOR_TOKEN: Type.Optional(Type.String({ minLength: 16, pattern: '^[\\x21-\\x7e]+$' })),
  DEMO_DATA: Type.Optional(onOff()),
  DATABASE_POOL_MAX: integer(4, 200, 16),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info' }),
})
const checkSettings = Compile(settings)

type Settings = Static<typeof settings>

export type Config = {
  port: number
  host: string
  /** Undefined: the service starts a PostgreSQL of its own. */
  databaseUrl: string | undefined
  dataFolder: string
  databasePoolMax: number
  holdSeconds: number
  sessionSeconds: number
  claimSeconds: number
  queueCapacity: number
  queueRatePerSecond: number
  seatsPerReservationMax: number
  seatsPerUserMax: number
  chargeMax: number
  rateLimits: boolean
  signUp: boolean
  accessTokenSeconds: number
  oidc: { issuer: string; audience: string | undefined } | undefined
  /** Undefined only when embedded, where they are made and kept. */
  tokenSecret: string | undefined
  operatorToken: string | undefined
  demoData: boolean
  logLevel: string
}

type SettingSchema = {
  type?: string
  default?: unknown
  enum?: string[]
  minimum?: number
  maximum?: number
  minLength?: number
  description?: string
}
const schemas = settings.properties as unknown as Record<string, SettingSchema>

/** Text is read as what the setting is: a number only where its exact text is one. */
function readText(name: string, text: string): unknown {
  const type = schemas[name]?.type
  const isNumber = (type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)
  return isNumber ? Number(text) : text
}

/**
 * Reads the settings from `environment`; an empty one counts as not set.
 * Throws one `StartFailure` that names every fault at once. Values are not repeated: they may be secrets.
 */
export function readConfig(environment: Record<string, string | undefined>, root: string): Config {
  const given: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(schemas)) {
    const text = environment[name]?.trim()
    if (text) given[name] = readText(name, text)
    else if ('default' in schema) given[name] = schema.default
  }
  const faults = new Map<string, string>()
  for (const fault of checkSettings.Errors(given)) {
    const name = fault.instancePath.slice(1)
    if (name) faults.set(name, describe(name))
  }
  if (given['DATABASE_URL'] !== undefined) {
    for (const name of ['TOKEN_SECRET', 'OPERATOR_TOKEN']) {
      if (given[name] === undefined)
        faults.set(name, 'is required with DATABASE_URL, the same for every instance')
    }
  }
  if (faults.size > 0) {
    const lines = [...faults].map(([name, fault]) => `  ${name} ${fault}`)
    throw new StartFailure(['The settings do not allow a start:', ...lines].join('\n'))
  }
  return toConfig(given as Settings, root)
}

function describe(name: string): string {
  const schema = schemas[name] ?? {}
  if (schema.enum) return `must be one of ${schema.enum.join(', ')}`
  switch (schema.type) {
    case 'integer':
      return `must be a whole number from ${schema.minimum} to ${schema.maximum}`
    case 'number':
      return `must be a number above 0, up to ${schema.maximum}`
    default:
      return `must be ${schema.description ?? `at least ${schema.minLength} visible characters`}`
  }
}

function toConfig(values: Settings, root: string): Config {
  const isEmbedded = values.DATABASE_URL === undefined
  return {
    port: values.PORT,
    // A laptop's service is for the laptop; one that is given a database is there to be reached.
    host: values.HOST ?? (isEmbedded ? 'localhost' : '0.0.0.0'),
    databaseUrl: values.DATABASE_URL,
    dataFolder: values.DATA_FOLDER ?? join(root, '.data'),
    databasePoolMax: values.DATABASE_POOL_MAX,
    holdSeconds: values.HOLD_SECONDS,
    sessionSeconds: values.SESSION_SECONDS,
    claimSeconds: values.CLAIM_SECONDS,
    queueCapacity: values.QUEUE_CAPACITY,
    queueRatePerSecond: values.QUEUE_RATE_PER_SECOND,
    seatsPerReservationMax: values.SEATS_PER_RESERVATION_MAX,
    seatsPerUserMax: values.SEATS_PER_USER_MAX,
    chargeMax: values.CHARGE_MAX,
    rateLimits: values.RATE_LIMITS === 'on',
    signUp: values.SIGN_UP === 'on',
    accessTokenSeconds: values.ACCESS_TOKEN_SECONDS,
    oidc: values.OIDC_ISSUER ? { issuer: values.OIDC_ISSUER, audience: values.OIDC_AUDIENCE } : undefined,
    tokenSecret: values.TOKEN_SECRET,
    operatorToken: values.OPERATOR_TOKEN,
    demoData: (values.DEMO_DATA ?? (isEmbedded ? 'on' : 'off')) === 'on',
    logLevel: values.LOG_LEVEL,
  }
}
