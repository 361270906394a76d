import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { StartFailure } from '../platform/start-failure.ts'
import type { Binaries } from './find-binaries.ts'

export type Owner = { uid: number; gid: number }

export type Launcher = {
  /** Whose the data must be; undefined when it is simply ours. */
  owner: Owner | undefined
  /** Starts one of PostgreSQL's programs as that owner. */
  launch: (file: string, args: string[], options?: SpawnOptions) => ChildProcess
}

/** Nothing of ours: no secret, and no setting (PGDATA, PGOPTIONS, a locale) that would change what it does. */
const environment = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
  LC_ALL: 'C',
  LANG: 'C',
  TZ: 'UTC',
}

/** A root that may pass any folder but is otherwise nobody; without the securebits, access(2) still says no. */
const asOwnerWhoMayPass = ({ uid, gid }: Owner): string[] => [
  `--reuid=${uid}`,
  `--regid=${gid}`,
  '--clear-groups',
  '--securebits=+no_setuid_fixup',
  '--inh-caps=-all,+dac_override',
  '--ambient-caps=-all,+dac_override',
  '--bounding-set=-all,+dac_override',
  '--no-new-privs',
  '--',
]

/**
 * How to start PostgreSQL from here. It refuses to run as root, so root starts it as the owner of the data or, for
 * new data, as `nobody`: no user is made and the machine stays as it was. Below a folder that only root may enter,
 * util-linux's setpriv leaves that user the one capability to pass it.
 */
export async function dropPrivileges(
  home: string,
  dataFolder: string,
  binaries: Binaries,
): Promise<Launcher> {
  const launch: Launcher['launch'] = (file, args, options) =>
    spawn(file, args, { cwd: home, env: environment, windowsHide: true, ...options })
  if (process.getuid?.() !== 0) return { owner: undefined, launch }

  const owner = (await ownerOf(dataFolder)) ?? (await nobody(launch))
  const { uid, gid } = owner
  const asOwner: Launcher['launch'] = (file, args, options) =>
    // 32 bits with a sign, as Node wants it: nobody is −2 on macOS.
    launch(file, args, { ...options, uid: uid | 0, gid: gid | 0 })
  const throughSetpriv: Launcher['launch'] = (file, args, options) =>
    launch('setpriv', [...asOwnerWhoMayPass(owner), file, ...args], options)

  const probe = ['-c', '"$1" --version && test -x "$2"', 'sh', binaries.postgres, home]
  const direct = await run(asOwner('/bin/sh', probe))
  if (direct.code === 0) return { owner, launch: asOwner }
  const passing = await run(throughSetpriv('/bin/sh', probe))
  if (passing.code === 0) return { owner, launch: throughSetpriv }
  throw new StartFailure(
    `Frontrow runs as root, PostgreSQL must not, and as user ${uid} it cannot reach ${home} or ${binaries.postgres}. Move Frontrow, or its DATA_FOLDER, to where every user may enter (not below /root), run it as an ordinary user, or set DATABASE_URL to use a PostgreSQL of your own. (${(direct.output + passing.output).trim() || 'no access'})`,
  )
}

/** Runs a program of PostgreSQL to its end: its code (null: it did not start or was killed) and all it wrote. */
export function run(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    let output = ''
    const add = (chunk: Buffer): void => {
      output += chunk.toString()
    }
    child.stdout?.on('data', add)
    child.stderr?.on('data', add)
    child.once('error', (error) => resolve({ code: null, output: `${output}${error.message}\n` }))
    child.once('close', (code) => resolve({ code, output }))
  })
}

async function ownerOf(dataFolder: string): Promise<Owner | undefined> {
  const found = await stat(dataFolder).catch(() => undefined)
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined
}

async function nobody(launch: Launcher['launch']): Promise<Owner> {
  const [uid, gid] = await Promise.all([
    run(launch('id', ['-u', 'nobody'])),
    run(launch('id', ['-g', 'nobody'])),
  ])
  if (uid.code !== 0 || gid.code !== 0) {
    throw new StartFailure(
      `Frontrow runs as root, PostgreSQL must not, and there is no user "nobody" to run it as. Run Frontrow as an ordinary user, or set DATABASE_URL to use a PostgreSQL of your own. (${uid.output.trim()})`,
    )
  }
  return { uid: Number(uid.output) >>> 0, gid: Number(gid.output) >>> 0 }
}
