import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startNode, stopChild } from '../start-node.ts'
import type { Ask, Reply, TaskName, Tasks } from './tasks.ts'

export type LoadProcess = {
  pid: number
  /** Has one thing done and waits for the answer. */
  run: <Name extends TaskName>(name: Name, ask: Tasks[Name]['ask']) => Promise<Tasks[Name]['answer']>
  [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Starts the process that makes the load, so that what it costs is not the service's nor the bench's own. It ends
 * with `signal`, and whatever it was doing rejects.
 */
export async function startLoadProcess(signal: AbortSignal, core?: number): Promise<LoadProcess> {
  const child = startNode({ args: [join(import.meta.dirname, 'main.ts')], core })
  await once(child, 'spawn')
  signal.addEventListener('abort', () => child.kill(), { once: true })
  return {
    pid: child.pid!,
    async run<Name extends TaskName>(name: Name, ask: Tasks[Name]['ask']) {
      signal.throwIfAborted()
      const reply = await exchange(child, { name, ...ask } as Ask)
      if ('error' in reply) throw new Error(reply.error)
      return reply.answer
    },
    [Symbol.asyncDispose]: () => stopChild(child),
  }
}

async function exchange(child: ChildProcess, ask: Ask): Promise<Reply> {
  const answered = new AbortController()
  const ended = once(child, 'close', { signal: answered.signal }).then(() => {
    throw new Error('the load process ended')
  })
  try {
    const replied = once(child, 'message', { signal: answered.signal })
    child.send(ask)
    const [reply] = (await Promise.race([replied, ended])) as [Reply]
    return reply
  } finally {
    ended.catch(() => {
      // It was only raced against.
    })
    answered.abort()
  }
}
