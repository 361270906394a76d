import Type from 'typebox'
import { httpProblem } from './problem.ts'

/** Query of a paged list. A cursor is what the page before gave as `nextCursor`, and nothing else. */
export const pageQuery = (maxLimit: number, cursorLength: number) => ({
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: cursorLength })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxLimit })),
})

const firstMs = Date.parse('0001-01-01T00:00:00Z')
const lastMs = Date.parse('9999-12-31T23:59:59.999Z')

/** What cursors are made of, each read back as what a query takes; undefined when no list of ours ends with it. */
const readers = {
  integer: (value: unknown) => (Number.isSafeInteger(value) ? (value as number) : undefined),
  uuid: (value: unknown) =>
    typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)
      ? value
      : undefined,
  /** Milliseconds of a year of four digits: PostgreSQL keeps fewer years than a JavaScript date. */
  time: (value: unknown) =>
    typeof value === 'number' && value >= firstMs && value <= lastMs ? new Date(value) : undefined,
}

type Kind = keyof typeof readers
type Values<Kinds extends readonly Kind[]> = {
  -readonly [Index in keyof Kinds]: NonNullable<ReturnType<(typeof readers)[Kinds[Index]]>>
}

export function encodeCursor(values: (string | number)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url')
}

/** Reads a cursor back; one that this service did not make is an invalid request. */
export function decodeCursor<const Kinds extends readonly Kind[]>(
  cursor: string | undefined,
  kinds: Kinds,
): Values<Kinds> | undefined {
  if (cursor === undefined) return undefined
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(parts) && parts.length === kinds.length) {
      const values = kinds.map((kind, index) => readers[kind](parts[index]))
      if (!values.includes(undefined)) return values as Values<Kinds>
    }
  } catch {
    // Not one of ours, said below.
  }
  throw httpProblem('invalid-request', {
    faults: [{ field: 'querystring/cursor', message: 'must be a nextCursor of this list' }],
  })
}

/** Cuts the one row too many that a page's query reads, and says where the next page starts. */
export function page<Row>(rows: Row[], limit: number, cursorOf: (row: Row) => (string | number)[]) {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { shown, nextCursor: rows.length > limit && last ? encodeCursor(cursorOf(last)) : null }
}
