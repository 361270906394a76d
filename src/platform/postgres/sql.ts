import { createHash } from 'node:crypto'

/** A statement with its values apart: what a caller writes between `${}` is sent as a parameter, never as SQL. */
export type Statement = { name: string; text: string; values: unknown[] }

const known = new WeakMap<TemplateStringsArray, { name: string; text: string }>()

/**
 * SQL that looks like SQL. Every place in the code is one prepared statement: its text is put together once, and its
 * name is a hash of it, so that each connection parses it once.
 */
export function sql(strings: TemplateStringsArray, ...values: unknown[]): Statement {
  let prepared = known.get(strings)
  if (!prepared) {
    const text = strings.reduce((before, part, index) => `${before}$${index}${part}`)
    const name = createHash('sha256').update(text).digest('base64url').slice(0, 40)
    prepared = { name, text }
    known.set(strings, prepared)
  }
  return { ...prepared, values }
}
