import type { Spread } from '../statistics.ts'

/** What the load process can be asked to do, and what it answers. */
export type Tasks = {
  /** Opens connections to a server; those it had are closed. */
  connect: { ask: { url: string; connections: number }; answer: Record<string, never> }
  /** Makes fans, and gives each a balance unless it is zero. They are remembered for what follows. */
  signUp: { ask: { fans: number; balance: number }; answer: Rate }
  /** Puts a new concert up for sale and lets every fan join its line. */
  join: {
    ask: { operatorToken: string; seats: number; capacity: number; ratePerSecond: number }
    answer: Rate & { active: number; waiting: number }
  }
  /** Every fan who is inside holds a seat of their own and pays it, until the fans or the time run out. */
  holdAndPay: { ask: { secondsMax: number; keyed: boolean }; answer: HoldAndPayResult }
  /** Asks for places in line, of one waiting fan after the other. */
  poll: { ask: { seconds: number }; answer: PollResult }
}

export type Rate = { count: number; seconds: number }

export type HoldAndPayResult = Rate & {
  /** How often each refusal was answered: no work was done for those. */
  refused: Record<string, number>
  holdMs: Spread
  payMs: Spread
}

export type PollResult = Rate & { pollMs: Spread }

export type TaskName = keyof Tasks
export type Ask = { [Name in TaskName]: { name: Name } & Tasks[Name]['ask'] }[TaskName]
export type Reply = { answer: Tasks[TaskName]['answer'] } | { error: string }
