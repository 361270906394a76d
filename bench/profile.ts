import { once } from 'node:events'
import { nameStatement } from './name-statement.ts'
import { onDatabase, type Fleet } from './service.ts'

/** Where the time went, in the service's process and in PostgreSQL. */
export type Profile = {
  /** Share of the time in which the process had something to do. */
  busy: number
  /** Shares of the busy time by who wrote the code, and by function; both most first. */
  parts: { name: string; share: number }[]
  functions: { name: string; share: number }[]
  statements: StatementTime[]
  /** For Chrome's or an editor's viewer. */
  cpuProfile: unknown
}

export type StatementTime = {
  name: string
  calls: number
  rowsPerCall: number
  totalMs: number
  meanMs: number
  maxMs: number
  /** Of the log that commits wait for. */
  walKb: number
}

const samplingMicroseconds = 500
const functionsShown = 40
const statementsShown = 20

/** Begins to look; `finish` ends it and tells. The fleet must have been started `watched`. */
export async function watchFleet(fleet: Fleet): Promise<{ finish: () => Promise<Profile> }> {
  const inspectorUrl = fleet.instances[0]?.inspectorUrl
  if (!inspectorUrl) throw new Error('the service was not started to be watched')
  const inspector = await openInspector(inspectorUrl)
  await inspector.send('Profiler.enable')
  await inspector.send('Profiler.setSamplingInterval', { interval: samplingMicroseconds })
  await onDatabase(fleet.databaseUrl, 'select pg_stat_statements_reset()')
  await inspector.send('Profiler.start')
  return {
    async finish() {
      const { profile } = (await inspector.send('Profiler.stop')) as { profile: CpuProfile }
      inspector.close()
      return { ...summarise(profile), statements: await readStatements(fleet), cpuProfile: profile }
    },
  }
}

async function openInspector(url: string) {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
  let last = 0
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number
      result?: unknown
      error?: { message: string }
    }
    const asked = id === undefined ? undefined : waiting.get(id)
    if (error) asked?.reject(new Error(error.message))
    else asked?.resolve(result)
  })
  return {
    send(method: string, params: object = {}): Promise<unknown> {
      const id = ++last
      socket.send(JSON.stringify({ id, method, params }))
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
    },
    close: () => socket.close(),
  }
}

type CpuProfile = {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

function summarise({
  nodes,
  samples,
  timeDeltas,
}: CpuProfile): Pick<Profile, 'busy' | 'parts' | 'functions'> {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parts = new Map<string, number>()
  const functions = new Map<string, number>()
  let busy = 0
  let all = 0
  samples.forEach((id, index) => {
    const time = timeDeltas[index] ?? 0
    const { functionName, url, lineNumber } = frames.get(id)!
    all += time
    if (functionName === '(idle)') return
    busy += time
    const part = partOf(functionName, url)
    const name = url ? `${functionName || '(anonymous)'} ${shortPath(url)}:${lineNumber + 1}` : functionName
    parts.set(part, (parts.get(part) ?? 0) + time)
    functions.set(name, (functions.get(name) ?? 0) + time)
  })
  const ranked = (times: Map<string, number>) =>
    [...times].map(([name, time]) => ({ name, share: time / busy })).toSorted((a, b) => b.share - a.share)
  return { busy: busy / all, parts: ranked(parts), functions: ranked(functions).slice(0, functionsShown) }
}

function partOf(functionName: string, url: string): string {
  if (!url) return functionName.startsWith('(') ? functionName : 'built into JavaScript'
  const node = /^node:(?:internal\/)?([^/]+)/.exec(url)
  if (node) return `node:${node[1]}`
  const library = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)
  return library ? library[1]! : shortPath(url)
}

const shortPath = (url: string): string =>
  url.replace(/^.*\/(?=(?:src|node_modules)\/)/, '').replace(/^node_modules\//, '')

async function readStatements({ databaseUrl }: Fleet): Promise<StatementTime[]> {
  const rows = await onDatabase<Omit<StatementTime, 'name'> & { query: string }>(
    databaseUrl,
    `select query, calls::int, (rows::float8 / calls) as "rowsPerCall", total_exec_time as "totalMs",
            mean_exec_time as "meanMs", max_exec_time as "maxMs", wal_bytes::float8 / 1024 as "walKb"
       from pg_stat_statements
      where query not like '%pg_stat_statements%'
      order by total_exec_time desc
      limit ${statementsShown}`,
  )
  return rows.map(({ query, ...times }) => ({ name: nameStatement(query), ...times }))
}
