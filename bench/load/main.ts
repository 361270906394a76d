import { Crowd } from './crowd.ts'
import type { Ask, Reply, Tasks, TaskName } from './tasks.ts'

/** The load process: does what its parent asks, one thing after the other. */
const crowd = new Crowd()

function perform(ask: Ask): Promise<Tasks[TaskName]['answer']> {
  switch (ask.name) {
    case 'connect':
      return crowd.connect(ask)
    case 'signUp':
      return crowd.signUp(ask)
    case 'join':
      return crowd.join(ask)
    case 'holdAndPay':
      return crowd.holdAndPay(ask)
    case 'poll':
      return crowd.poll(ask)
  }
}

async function answer(ask: Ask): Promise<void> {
  let reply: Reply
  try {
    reply = { answer: await perform(ask) }
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) }
  }
  process.send?.(reply)
}

process.on('message', (ask: Ask) => void answer(ask))
// There is always something to wait for: the next question.
process.channel?.ref()
