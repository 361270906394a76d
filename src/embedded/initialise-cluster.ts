import { chmod, lchown, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cluster, superuser } from './cluster.ts'
import { type Owner, run } from './drop-privileges.ts'
import { explainOutput } from './explain-failure.ts'
import { syncFolder } from './make-folder.ts'

const unfinished = 'postgres.new-'

/**
 * Makes an empty cluster in `dataFolder` unless there is one. It is made under another name and renamed when it is
 * complete, so a start that is killed half-way leaves nothing that the next one could mistake for data.
 */
export async function initialiseCluster(cluster: Cluster): Promise<void> {
  const { home, dataFolder, binaries, launcher, password, fsync } = cluster
  if (await hasCluster(dataFolder)) {
    await claimCluster(dataFolder, launcher.owner)
    return
  }
  const making = await mkdtemp(join(home, unfinished))
  try {
    const passwordFile = join(making, 'password')
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    if (launcher.owner) await own([making, passwordFile], launcher.owner)
    const made = join(making, 'cluster')
    const { code, output } = await run(
      launcher.launch(binaries.initdb, [
        `--pgdata=${made}`,
        `--username=${superuser}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // The same order and letter cases on every machine, whatever locales it has.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        ...(fsync ? [] : ['--no-sync']),
      ]),
    )
    if (code !== 0) throw explainOutput(`PostgreSQL could not be set up in ${home}`, output)
    await rename(made, dataFolder)
    if (fsync) await syncFolder(home)
  } catch (error) {
    // Of two first starts at once the slower finds the other's cluster in place, and its own may be swept away.
    if (!(await hasCluster(dataFolder))) throw error
  } finally {
    await rm(making, { recursive: true, force: true })
  }
}

/** Sweeps away what killed first starts left. Only the owner of a running server may: nobody needs them any more. */
export async function removeUnfinished(home: string): Promise<void> {
  const names = (await readdir(home)).filter((name) => name.startsWith(unfinished))
  await Promise.all(
    names.map((name) =>
      rm(join(home, name), { recursive: true, force: true }).catch(() => {
        // A slower first start still writes there; it removes its own.
      }),
    ),
  )
}

async function hasCluster(dataFolder: string): Promise<boolean> {
  try {
    await stat(join(dataFolder, 'PG_VERSION'))
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

/** Puts right what a copy of the folder tends to lose, and PostgreSQL insists on: owner and mode. */
async function claimCluster(dataFolder: string, owner: Owner | undefined): Promise<void> {
  const { uid, mode } = await stat(dataFolder)
  if (owner && uid !== owner.uid) {
    const inside = await readdir(dataFolder, { recursive: true })
    await own([...inside.map((name) => join(dataFolder, name)), dataFolder], owner)
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) await chmod(dataFolder, 0o700)
}

async function own(paths: string[], { uid, gid }: Owner): Promise<void> {
  for (const path of paths) await lchown(path, uid, gid)
}
