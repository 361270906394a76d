import { CommanderError } from 'commander'
import { checkPromises, type Check } from './check.ts'
import { playFan } from './fan.ts'
import { HonestClient } from './honest-client.ts'
import { readOptions, type RushOptions } from './options.ts'
import { showProgress } from './progress.ts'
import { seeded } from './random.ts'
import { describeRush, faultsOf, type Rush } from './report.ts'
import { findService, openSale, RushFailure, type Sale, type Service } from './sale.ts'
import { Tally } from './tally.ts'

/** For the questions after the rush, when the service may be gone. */
const checksWithinMs = 120_000

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  const stop = new AbortController()
  process.once('SIGINT', () => {
    process.stderr.write('\nStopping; Ctrl-C again does not wait for the report.\n')
    process.once('SIGINT', () => process.exit(130))
    stop.abort('Ctrl-C')
  })
  process.once('SIGTERM', () => stop.abort('SIGTERM'))

  const service = await findService(options)
  try {
    void service.lost.then((error) => stop.abort(error.message))
    const rush = await play(options, service, stop)
    process.stdout.write(`${describeRush(rush)}\n`)
    if (faultsOf(rush).length > 0) process.exitCode = 1
  } finally {
    await service.close()
  }
}

async function play(options: RushOptions, service: Service, stop: AbortController): Promise<Rush> {
  const sale = await openSale(service, options)
  process.stderr.write(`${options.fans} fans want ${sale.seats} seats from ${service.description}.\n`)
  const tally = new Tally(options.fans)
  const { signal } = stop
  const client = new HonestClient(service.urls, tally, seeded(options.seed), signal)
  const timer = setTimeout(() => stop.abort(`${options.minutes} minutes are over`), options.minutes * 60_000)
  const finishProgress = showProgress(tally)
  const started = performance.now()
  const world = { client, tally, options, sale, signal }
  await Promise.all(Array.from({ length: options.fans }, (_, number) => playFan(world, number)))
  const seconds = (performance.now() - started) / 1000
  clearTimeout(timer)
  finishProgress()
  await client.close()
  const stoppedBy = signal.aborted ? String(signal.reason) : undefined
  const checks = await check(service, sale, tally)
  return { options, service: service.description, seats: sale.seats, seconds, stoppedBy, tally, checks }
}

/** Asks apart from the crowd: its calls are not the fans', and it goes on when they have been stopped. */
async function check(service: Service, sale: Sale, crowd: Tally): Promise<Check[]> {
  const own = new Tally(0)
  const client = new HonestClient(service.urls, own, Math.random, AbortSignal.timeout(checksWithinMs))
  try {
    const checks = await checkPromises(client, service, sale, crowd)
    for (const [what, times] of own.serverErrors) crowd.serverErrors.set(what, times)
    return checks
  } catch (error) {
    return [{ name: 'The service can be asked after the rush', holds: false, detail: String(error) }]
  } finally {
    await client.close()
  }
}

try {
  await main()
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) process.stderr.write(`${error.message}\n`)
    process.exitCode = error.exitCode
  } else {
    process.stderr.write(`${error instanceof RushFailure ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
