import { randomBytes } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { StartFailure } from '../platform/start-failure.ts'
import { explainError } from './explain-failure.ts'
import { makeFolder, syncFolder } from './make-folder.ts'

const secretsSchema = Type.Object({
  tokenSecret: Type.String({ minLength: 32 }),
  // Its operator may put one of his own here: the bounds are those of the settings.
  operatorToken: Type.String({ minLength: 16, pattern: '^[\\x21-\\x7e]+$' }),
  databasePassword: Type.String({ minLength: 32 }),
})

export type Secrets = Static<typeof secretsSchema>

/** 256 bits: as many as the signature has. */
const secretBytes = 32

const makeSecret = (): string => randomBytes(secretBytes).toString('base64url')

/**
 * The secrets of a service that was given none: made at the first start, kept in `secrets.json`, which only this
 * user may read, and the same ever after. Of two first starts at once both get the same.
 */
export async function keepSecrets(folder: string): Promise<Secrets> {
  try {
    const home = await makeFolder(folder)
    const file = join(home, 'secrets.json')
    return (await readSecrets(file)) ?? (await makeSecrets(home, file))
  } catch (error) {
    throw explainError(error, folder)
  }
}

async function readSecrets(file: string): Promise<Secrets | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  const secrets = parseSecrets(text)
  if (secrets) return secrets
  throw new StartFailure(
    `${file} is damaged: it must be JSON with a tokenSecret, an operatorToken and a databasePassword. Put back a copy of it, or move the whole folder away to begin anew; the data beside it opens with its password only.`,
  )
}

function parseSecrets(text: string): Secrets | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(secretsSchema, value) ? value : undefined
  } catch {
    return undefined
  }
}

async function makeSecrets(home: string, file: string): Promise<Secrets> {
  const secrets: Secrets = {
    tokenSecret: makeSecret(),
    operatorToken: makeSecret(),
    databasePassword: makeSecret(),
  }
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await using handle = await open(draft, 'wx', 0o600)
    await handle.writeFile(`${JSON.stringify(secrets, null, 2)}\n`)
    await handle.sync()
    // A link, unlike a rename, does not replace: the first start wins, with a complete file.
    await link(draft, file)
    await syncFolder(home)
    return secrets
  } catch (error) {
    const others =
      error instanceof Error && 'code' in error && error.code === 'EEXIST' && (await readSecrets(file))
    if (others) return others
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}
