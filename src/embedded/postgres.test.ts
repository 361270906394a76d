import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, openEmbeddedPostgres } from './postgres.ts'

const password = 'a-password-of-these-tests'
const isRoot = process.getuid?.() === 0
const nobody = 65_534

/** Every folder of this file is below it, so a server that was left behind is found by it. */
let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'frontrow embedded '))
  await chmod(root, 0o755)
  await (await open(join(root, 'seed'))).close()
})

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
  const left = await serversBelow(root)
  if (left.length > 0) throw new Error(`left running: ${left.join(', ')}`)
})

async function serversBelow(folder: string): Promise<string[]> {
  if (process.platform !== 'linux') return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return commands.filter((command) => command.includes(folder))
}

function open(folder: string, options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  return openEmbeddedPostgres({ folder, password, fsync: false, ...options })
}

/** A folder that had its first start: a copy takes a tenth of the time. */
function seed(...names: string[]): string {
  const folder = join(root, ...names)
  execFileSync('cp', ['-a', join(root, 'seed'), folder])
  return folder
}

async function refusal(opening: Promise<EmbeddedPostgres>): Promise<{ name: string; message: string }> {
  try {
    await (await opening).close()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it opened')
}

async function query<Row extends object>(
  { databaseUrl }: { databaseUrl: string },
  text: string,
): Promise<Row[]> {
  const client = new Client({ connectionString: databaseUrl })
  // Some tests kill the server under it.
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const script = `
  import { openEmbeddedPostgres } from ${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)}
  const opened = await openEmbeddedPostgres(JSON.parse(process.argv[1])).catch((error) => error)
  process.send({ databaseUrl: opened.databaseUrl, pid: opened.pid, name: opened.name, message: opened.message })
`

type Opened = { databaseUrl: string; pid: number; name?: string; message: string }

/** A service in a process of its own, with a terminal's process group, that opens the folder and stays. */
function startService(folder: string, as: { uid?: number; gid?: number } = {}) {
  const options = JSON.stringify({ folder, password, fsync: false })
  const service = spawn(process.execPath, ['--input-type=module', '-e', script, options], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true,
    ...as,
  })
  return {
    opened: once(service, 'message').then((values): Opened => values[0]),
    async kill() {
      const gone = once(service, 'exit')
      process.kill(-(service.pid ?? 0), 'SIGKILL')
      await gone
    },
  }
}

/** A small disk of its own. */
async function mount(name: string, options: string) {
  const folder = join(root, name)
  await mkdir(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' })
  return { folder, [Symbol.dispose]: () => void execFileSync('umount', [folder]) }
}

const canMount = isRoot && mayMount()
function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

// Together, because most of their time is waiting: for the disk, and for a lock that might come free.
test.concurrent('a first start makes the data, and a second one finds it', async () => {
  const folder = join(root, 'a folder', 'not made yet')
  const first = await open(folder)
  await query(first, 'create table fans (name text)')
  await query(first, `insert into fans values ('민지')`)
  await first.close()
  await first.close()
  expect(isAlive(first.pid)).toBe(false)

  await using second = await open(folder, { fsync: true })
  const settings = `select current_setting('fsync') as fsync, current_setting('server_encoding') as encoding,
                           current_setting('listen_addresses') as addresses, upper('é') as upper`
  expect(await query(second, settings)).toEqual([
    { fsync: 'on', encoding: 'UTF8', addresses: '127.0.0.1', upper: 'É' },
  ])
  expect(await query(second, 'select name from fans')).toEqual([{ name: '민지' }])
  expect((await readdir(folder)).toSorted()).toEqual(['postgres', 'postgres-start.log'])
  expect((await stat(join(folder, 'postgres'))).mode & 0o777).toBe(0o700)
  const guess = second.databaseUrl.replace(password, 'a-guess')
  await expect(query({ databaseUrl: guess }, 'select')).rejects.toThrow('password authentication failed')
})

test.concurrent('a killed service leaves its server, and the next one takes it over with every row', async () => {
  const folder = seed('killed')
  const service = startService(folder)
  const left = await service.opened
  await query(left, 'create table fans as select 1 as id')
  // The whole process group, as a terminal does it: the server is not part of it.
  await service.kill()
  expect(isAlive(left.pid)).toBe(true)

  const next = await open(folder)
  expect(next.pid).toBe(left.pid)
  expect(await query(next, 'select id from fans')).toEqual([{ id: 1 }])
  await next.close()
  expect(await serversBelow(folder)).toEqual([])
})

test.concurrent('a folder has one owner: another is told whose it is, and the server goes on', async () => {
  const folder = seed('owned')
  await using owner = await open(folder)
  const { name, message } = await refusal(open(folder))
  expect(name).toBe('StartFailure')
  expect(message).toContain(`Another Frontrow (process ${process.pid}) is already running in ${folder}`)
  expect(await query(owner, 'select 1 as one')).toEqual([{ one: 1 }])
})

test.concurrent('of two first starts at the same moment one wins, and the other is told', async () => {
  const folder = join(root, 'twins')
  const twins = await Promise.allSettled([open(folder), open(folder)])
  const winners = twins.flatMap((twin) => (twin.status === 'fulfilled' ? [twin.value] : []))
  const reasons = twins.flatMap((twin) => (twin.status === 'rejected' ? [String(twin.reason)] : []))
  expect(winners).toHaveLength(1)
  expect(reasons).toEqual([expect.stringContaining('Another Frontrow')])
  await winners[0]?.close()
  expect((await readdir(folder)).toSorted()).toEqual(['postgres', 'postgres-start.log'])
})

test.concurrent('a crash of one of its processes does not end the server, and it keeps its owner', async () => {
  const folder = seed('crash')
  const back = Promise.withResolvers<string>()
  await using opened = await open(folder, { onNotice: back.resolve })
  // It kills itself, as the kernel does when memory runs out.
  await expect(
    query(opened, `copy (select pg_backend_pid()) to program 'read pid; kill -9 $pid'`),
  ).rejects.toThrow('Connection terminated')
  expect(await back.promise).toBe('PostgreSQL dropped its connections and is back.')
  expect(await query(opened, 'select 1 as one')).toEqual([{ one: 1 }])
  expect((await refusal(open(folder))).message).toContain('Another Frontrow')
})

test.concurrent('a first start that is killed half-way leaves nothing in the way of the next', async () => {
  const folder = join(root, 'half-way')
  const service = startService(folder)
  const files = (): Promise<string[]> => readdir(folder, { recursive: true }).catch(() => [])
  await expect.poll(files, { interval: 5 }).toContainEqual(expect.stringMatching(/cluster\/PG_VERSION$/))
  await service.kill()
  expect((await readdir(folder)).filter((name) => name.startsWith('postgres.new-'))).toHaveLength(1)

  await using next = await open(folder)
  expect(await query(next, 'select 1 as one')).toEqual([{ one: 1 }])
  expect((await readdir(folder)).toSorted()).toEqual(['postgres', 'postgres-start.log'])
})

test.concurrent('what says that a server runs is not believed of another program, nor of another folder', async () => {
  const folder = seed('stale')
  const pidFile = join(folder, 'postgres', 'postmaster.pid')
  const copied = seed('a copy of stale')
  // This very process: alive, and no server.
  await writeFile(pidFile, `${process.pid}\n${join(folder, 'postgres')}\n1790000000\n5432\n\n127.0.0.1\n`)

  await using original = await open(folder)
  await cp(pidFile, join(copied, 'postgres', 'postmaster.pid'))
  await using copy = await open(copied)
  expect(copy.pid).not.toBe(original.pid)
  expect(await query(original, 'select 1 as one')).toEqual([{ one: 1 }])
})

test.concurrent('when the server dies, its owner is told, and the next start has every row', async () => {
  const folder = seed('death')
  const opened = await open(folder, { fsync: true })
  await query(opened, 'create table fans as select 1 as id')
  process.kill(opened.pid, 'SIGKILL')
  expect(String(await opened.lost)).toContain(`PostgreSQL in ${folder} (process ${opened.pid}) has ended`)
  await opened.close()
  await using next = await open(folder)
  expect(await query(next, 'select id from fans')).toEqual([{ id: 1 }])
})

test.concurrent('data of another version, or with another password, is refused in words and left alone', async () => {
  const folder = seed('foreign')
  const other = await refusal(open(folder, { password: 'another-password' }))
  expect(other).toMatchObject({ name: 'StartFailure', message: expect.stringContaining('secrets.json') })

  await writeFile(join(folder, 'postgres', 'PG_VERSION'), '17\n')
  const old = await refusal(open(folder))
  expect(old.name).toBe('StartFailure')
  expect(old.message).toContain(
    `${folder}: its data was made by another version of PostgreSQL. Start the Frontrow`,
  )
  expect(old.message).toContain('initialized by PostgreSQL version 17')

  await writeFile(join(folder, 'postgres', 'PG_VERSION'), '18\n')
  await rm(join(folder, 'postgres', 'global', 'pg_control'))
  expect(await refusal(open(folder))).toMatchObject({ name: 'StartFailure' })
})

test.concurrent('a file in the place of the folder is named', async () => {
  const folder = join(root, 'file')
  await writeFile(folder, '')
  const { name, message } = await refusal(open(folder))
  expect(name).toBe('StartFailure')
  expect(message).toContain(`${folder}: something else is in its place. Move that away`)
})

test.skipIf(!canMount)('a full disk and a read-only one are called so (needs root and mount)', async () => {
  using small = await mount('small disk', 'size=20m,mode=755')
  const full = await refusal(open(join(small.folder, 'data')))
  expect(full).toMatchObject({
    name: 'StartFailure',
    message: expect.stringContaining('the disk is full. Make room'),
  })
  // What was begun is gone again, or the disk would stay full.
  expect(await readdir(join(small.folder, 'data'))).toEqual([])

  using fixed = await mount('fixed disk', 'ro')
  const readOnly = await refusal(open(join(fixed.folder, 'data')))
  expect(readOnly).toMatchObject({ name: 'StartFailure', message: expect.stringContaining('is read-only') })
})

test.skipIf(!isRoot)(
  'root runs it as another user, even below a folder that only root may enter',
  async () => {
    const cell = join(root, 'only for root')
    await mkdir(cell, { mode: 0o700 })
    const folder = join(cell, 'data')
    const first = await open(folder)
    await query(first, 'create table fans as select 1 as id')
    const { uid } = await stat(`/proc/${first.pid}`).catch(() => stat(join(folder, 'postgres')))
    expect(uid).not.toBe(0)
    await first.close()
    // A copy that root made is root's; it is handed on.
    await cp(join(folder, 'postgres'), join(cell, 'copy', 'postgres'), { recursive: true })
    await using copy = await open(join(cell, 'copy'))
    expect(await query(copy, 'select id from fans')).toEqual([{ id: 1 }])
  },
)

test.skipIf(!isRoot)('an ordinary user starts his own, and is told when root made it', async () => {
  const home = join(root, 'home of nobody')
  await mkdir(home)
  await chown(home, nobody, nobody)
  const service = startService(join(home, 'data'), { uid: nobody, gid: nobody })
  const opened = await service.opened
  expect(await query(opened, 'select 1 as one')).toEqual([{ one: 1 }])
  await service.kill()
  await (await open(join(home, 'data'))).close()

  const rootsFolder = join(root, 'of root')
  await mkdir(rootsFolder, { mode: 0o700 })
  const refused = startService(rootsFolder, { uid: nobody, gid: nobody })
  const { name, message } = await refused.opened
  await refused.kill()
  expect(name).toBe('StartFailure')
  expect(message).toContain(`${rootsFolder}: this user may not use it. Run as the user it belongs to`)
})
