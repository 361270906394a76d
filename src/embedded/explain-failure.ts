import { StartFailure } from '../platform/start-failure.ts'

type Cause = {
  /** The operating system's codes, when Node was refused. */
  codes: string[]
  /** What PostgreSQL writes, when it was. */
  output?: RegExp
  cause: string
  remedy: string
}

/** What stops an embedded start and can be mended, in the words of who mends it. The first that fits is told. */
const causes: Cause[] = [
  {
    codes: [],
    // Before the full disk: some systems report used-up semaphores with its words.
    output: /could not (create|attach|map|resize|open) .*(shared memory|semaphore)/i,
    cause: 'the system gives it no shared memory',
    remedy: 'Free or allow more of it (in a container: --shm-size)',
  },
  {
    codes: ['ENOSPC', 'EDQUOT'],
    output: /No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes/,
    cause: 'the disk is full',
    remedy: 'Make room (100 MB to begin, 2 GB for a busy sale)',
  },
  {
    codes: ['EROFS'],
    output: /Read-only file system/,
    cause: 'its file system is read-only',
    remedy: 'Make it writable, name another folder in DATA_FOLDER',
  },
  {
    codes: ['EACCES', 'EPERM'],
    output: /Permission denied|Operation not permitted|has wrong ownership/,
    cause: 'this user may not use it',
    remedy: 'Run as the user it belongs to, name another folder in DATA_FOLDER',
  },
  {
    codes: ['ENOENT', 'ENAMETOOLONG', 'ELOOP', 'EINVAL'],
    cause: 'no folder can be made there',
    remedy: 'Name another folder in DATA_FOLDER',
  },
  {
    codes: ['EEXIST', 'ENOTDIR', 'ENOTEMPTY'],
    cause: 'something else is in its place',
    remedy: 'Move that away, name another folder in DATA_FOLDER',
  },
  {
    codes: [],
    output: /database files are incompatible with server/,
    cause: 'its data was made by another version of PostgreSQL',
    remedy: 'Start the Frontrow that made it, name another folder in DATA_FOLDER to begin anew',
  },
  {
    codes: [],
    output: /could not look up effective user ID/,
    cause:
      'this user has no name on this system (no line in /etc/passwd), which PostgreSQL needs to make its data',
    remedy: 'Run as a user that has one',
  },
  {
    codes: [],
    output: /error while loading shared libraries|Library not loaded/,
    cause: 'a library of PostgreSQL is missing',
    remedy: 'Run "npm rebuild" if install scripts were off',
  },
]

const otherwise = 'or set DATABASE_URL to use a PostgreSQL of your own'

/** What the operating system refused, told for its operator; anything else comes back as it is. */
export function explainError(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || error instanceof StartFailure || !('code' in error)) return error
  const known = causes.find(
    ({ codes, output }) => codes.includes(String(error.code)) || output?.test(error.message),
  )
  if (!known) return error
  return new StartFailure(
    `Frontrow cannot keep its data in ${folder}: ${known.cause}. ${known.remedy}, ${otherwise}. (${error.message})`,
    { cause: error },
  )
}

/** Why one of PostgreSQL's programs ended, from what it wrote, with the line that says most. */
export function explainOutput(what: string, output: string): StartFailure {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const known = causes.find((cause) => cause.output && lines.some((line) => cause.output?.test(line)))
  const line = tellingLine(lines, known?.output ?? /FATAL:|PANIC:|error:|could not/)
  return new StartFailure(
    known
      ? `${what}: ${known.cause}. ${known.remedy}, ${otherwise}. (${line})`
      : `${what}: ${line}. Mend that, name another folder in DATA_FOLDER, ${otherwise}.`,
  )
}

/** The last line that fits, or the last of all, without its time and process, and with its detail. */
function tellingLine(lines: string[], pattern: RegExp): string {
  const at = lines.findLastIndex((line) => pattern.test(line))
  const words = (lines.at(at) ?? 'it wrote nothing').replace(
    /^.*?(FATAL|PANIC|ERROR|LOG|WARNING|error): +/,
    '',
  )
  const detail = at === -1 ? undefined : /DETAIL: +(.*?)\.?$/.exec(lines[at + 1] ?? '')?.[1]
  return detail ? `${words}: ${detail}` : words
}
