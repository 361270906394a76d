import Type from 'typebox'
import { httpProblem } from './problem.ts'

/** Query of a paged list. A cursor is what the page before gave as `nextCursor`, and nothing else. */
export const pageQuery = (maxLimit: number, cursorLength: number) => ({
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: cursorLength })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxLimit })),
})

export function encodeCursor(values: (string | number)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url')
}

/** Reads a cursor back; one that this service did not make is an invalid request. */
export function decodeCursor<Values extends (string | number)[]>(
  cursor: string | undefined,
  shape: { [Index in keyof Values]: RegExp },
): Values | undefined {
  if (cursor === undefined) return undefined
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    const fits =
      Array.isArray(values) &&
      values.length === shape.length &&
      shape.every(
        (pattern, index) =>
          ['string', 'number'].includes(typeof values[index]) && pattern.test(`${values[index]}`),
      )
    if (fits) return values as Values
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
