import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

/** From the ground up: a file imports what is on its own floor or below it. */
const floors = [
  'platform',
  'embedded',
  'limits.ts',
  'problems.ts',
  'openapi.ts',
  'config.ts',
  'users',
  'concerts',
  'events',
  'queue',
  'reservations',
  'balance',
  'payments',
  'operator',
  'service-routes.ts',
  'app.ts',
  'main.ts',
]

/** What may look at this machine's clock. What a seat, a hold, a place or won depends on asks the database. */
const clockReaders: Record<string, string> = {
  'src/users/access-token.ts':
    'A token is issued and runs out by the clock of those who check it, as the standard has it.',
  'src/queue/watch-lines.ts': 'When to look again, and how fast the line has moved.',
  'src/queue/stream-place.ts': 'When to send again.',
  'src/concerts/stream-seats.ts': 'When to send again.',
  'src/queue/read-place.ts':
    'Whether a sale is over: its end is days after its start, and joining asks the database.',
  'src/queue/follow-events.ts':
    'An old event’s deadline is not worth a statement, which decides by the database’s clock.',
}

/** A file that grows past this has become two. */
const linesMax = 500

type File = { path: string; text: string; imports: string[] }

const root = join(import.meta.dirname, '..')

function filesBelow(folder: string): File[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = join(folder, name)
      const text = readFileSync(join(root, path), 'utf8')
      const imports = [
        ...text.matchAll(/(?:from|import) '(\.[^']+)'|import\('(\.[^']+)'\)|new URL\('(\.[^']+)'/g),
      ]
      return {
        path,
        text,
        imports: imports.map(([, ...found]) => normalize(join(dirname(path), found.find(Boolean) ?? ''))),
      }
    })
}

const isTest = ({ path }: File): boolean => /\.(test|contract)\.ts$/.test(path)
const src = filesBelow('src')
const service = src.filter((file) => !isTest(file))
const tests = [...src.filter(isTest), ...filesBelow('test')]

/** The lines that have what must not be there, as `path:line`. */
function linesWith(files: File[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  )
}

const floorOf = (path: string): number => floors.indexOf(path.split('/')[1] ?? '')

test('every file is on a floor, and imports go down only', () => {
  expect(service.filter(({ path }) => floorOf(path) === -1).map(({ path }) => path)).toEqual([])
  const upward = service.flatMap(({ path, imports }) =>
    imports.filter((other) => floorOf(other) > floorOf(path)).map((other) => `${path} imports ${other}`),
  )
  expect(upward).toEqual([])
})

test('only app.ts knows routes and what stands behind a port', () => {
  const isWiring = /\/(routes|[\w-]+-queue-store|[\w-]+-bus)\.ts$/
  const others = service.filter(({ path }) => path !== 'src/app.ts')
  const known = others.flatMap(({ path, imports }) =>
    imports.filter((other) => isWiring.test(other)).map((other) => `${path} imports ${other}`),
  )
  expect(known).toEqual([])
  expect(service.filter(({ path }) => isWiring.test(path)).length).toBeGreaterThan(7)
})

test('only main.ts sees the environment, and hands it to config.ts', () => {
  expect(linesWith(service, /\bprocess\.env\b/).map((line) => line.split(':')[0])).toEqual(['src/main.ts'])
})

test('nothing is printed but by main.ts: what happens is logged', () => {
  expect(linesWith(service, /\bconsole\./)).toEqual([])
  const printing = linesWith(service, /\bprocess\.(stdout|stderr)\.write\b/).map((line) => line.split(':')[0])
  expect(new Set(printing)).toEqual(new Set(['src/main.ts']))
})

test('this machine’s clock is read only where a reason says why', () => {
  const readers = linesWith(service, /\bDate\.now\(\)|\bnew Date\(\)/).map((line) => line.split(':')[0])
  expect(new Set(readers)).toEqual(new Set(Object.keys(clockReaders)))
})

test('every file is used by another', () => {
  const used = new Set([...service, ...tests, ...filesBelow('bench')].flatMap(({ imports }) => imports))
  const isEntry = (path: string): boolean =>
    path === 'src/main.ts' || path === 'test/global-setup.ts' || path.endsWith('.test.ts')
  expect(
    [...src, ...tests].map(({ path }) => path).filter((path) => !used.has(path) && !isEntry(path)),
  ).toEqual([])
})

test('nothing is left for later, and no file has become two', () => {
  expect(linesWith([...service, ...tests], /\b(TO{1}DO|FIX{1}ME|XX{1}X)\b/)).toEqual([])
  const long = service.filter(({ text }) => text.split('\n').length > linesMax)
  expect(long.map(({ path }) => path)).toEqual([])
})
