import { Command, InvalidArgumentError } from 'commander'
import { readMachine } from './machine.ts'
import { describeMachine, describeResult, keepResults } from './results.ts'
import { holdAndPay } from './scenarios/hold-and-pay.ts'
import { memory } from './scenarios/memory.ts'
import { poll } from './scenarios/poll.ts'
import type { Scenario, ScenarioResult } from './scenarios/scenario.ts'

const scenarios: Record<string, Scenario> = { 'hold-pay': holdAndPay, poll, memory }

type Options = { quick: boolean; rounds?: number; connections: number; keys: boolean; profile: boolean }

const command = new Command('bench')
  .description(
    'Measures what the service can do on this machine, each scenario with a service and a PostgreSQL of its own.',
  )
  .argument('[scenarios...]', `which: ${Object.keys(scenarios).join(', ')} (all when left out)`, oneOf, [])
  .option('--quick', 'less of everything: about a minute, and numbers that vary more', false)
  .option('--rounds <number>', 'rounds per scenario', wholeNumber)
  .option('--connections <number>', 'connections of the load', wholeNumber, 64)
  .option('--no-keys', 'hold and pay without Idempotency-Key')
  .option('--profile', 'show where the time goes; the numbers are then lower than they could be', false)
  .action((names: string[], options: Options) =>
    bench(names.length > 0 ? names : Object.keys(scenarios), options),
  )

function oneOf(name: string, before: string[]): string[] {
  if (!(name in scenarios)) throw new InvalidArgumentError(`There is no such scenario.`)
  return [...before, name]
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 1_000) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000.')
  }
  return value
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The first ends what was started, in order; who asks twice does not wait for that.
  process.once(signal, () => stop.abort(new Error('stopped')))
}

async function bench(names: string[], options: Options): Promise<void> {
  const machine = readMachine()
  process.stdout.write(`${describeMachine(machine)}\n`)
  const results: ScenarioResult[] = []
  for (const name of names) {
    const result = await scenarios[name]!({
      isQuick: options.quick,
      rounds: options.rounds,
      connections: options.connections,
      keyed: options.keys,
      profiled: options.profile,
      signal: stop.signal,
      say: (message) => process.stderr.write(`${name}: ${message}\n`),
    })
    results.push(result)
    process.stdout.write(`${describeResult(result)}\n`)
  }
  process.stdout.write(`\nKept in ${await keepResults(machine, options.quick, results)}\n`)
}

try {
  await command.parseAsync()
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
