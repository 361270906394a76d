/** The address of every page, in one table. Those of the service are in `api/schema.ts`. */
export const pages = {
  concerts: '/',
  concert: '/concerts/:concertId',
  line: '/concerts/:concertId/line',
  shows: '/concerts/:concertId/shows',
  seats: '/concerts/:concertId/shows/:showId',
  reservation: '/reservations/:reservationId',
  reservations: '/me',
  payments: '/me/payments',
  balance: '/me/balance',
} as const

export type PageName = keyof typeof pages

type ParamNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamNames<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never

export type PageParams<Name extends PageName> = Record<ParamNames<(typeof pages)[Name]>, string | number>

/** The address of a page. */
export function urlTo<Name extends PageName>(
  name: Name,
  ...[params]: ParamNames<(typeof pages)[Name]> extends never ? [] : [PageParams<Name>]
): string {
  return fill(pages[name], params ?? {})
}

/** A path with its `:name` or `{name}` parts filled in. */
export function fill(path: string, params: Record<string, string | number>): string {
  return path.replaceAll(/:(\w+)|\{(\w+)\}/g, (_part, colon?: string, brace?: string) =>
    encodeURIComponent(String(params[colon ?? brace ?? ''])),
  )
}

export type Match = { name: PageName; params: Record<string, string> }

const patterns = Object.entries(pages).map(([name, path]) => ({
  name: name as PageName,
  pattern: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`),
}))

/** Which page an address is, if any. */
export function matchPage(path: string): Match | undefined {
  for (const { name, pattern } of patterns) {
    const found = pattern.exec(path)
    if (found) return { name, params: { ...found.groups } }
  }
  return undefined
}
