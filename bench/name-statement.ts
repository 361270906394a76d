import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const root = join(import.meta.dirname, '..')

let known: Map<string, string> | undefined

/** Where in the source a statement stands that PostgreSQL tells of; its beginning when it is not found. */
export function nameStatement(query: string): string {
  known ??= readSource()
  return known.get(wordsOf(query)) ?? query.replaceAll(/\s+/g, ' ').trim().slice(0, 60)
}

function readSource(): Map<string, string> {
  const statements = new Map<string, string>()
  for (const path of globSync(join(root, 'src', '**', '*.ts'))) {
    const source = readFileSync(path, 'utf8')
    for (const match of source.matchAll(/sql`([^`]*)`/g)) {
      const line = source.slice(0, match.index).split('\n').length
      statements.set(wordsOf(match[1]!), `${relative(root, path)}:${line}`)
    }
  }
  return statements
}

/** The words of a statement without what PostgreSQL or the code puts in their place: values and comments. */
function wordsOf(statement: string): string {
  const bare = statement
    .replaceAll(/--.*$/gm, ' ')
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, ' ')
    .replaceAll(/'[^']*'/g, ' ')
    .replaceAll(/\$\d+/g, ' ')
  return (bare.match(/[a-z_]+/g) ?? []).join(' ')
}
