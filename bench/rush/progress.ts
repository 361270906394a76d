import { Presets, SingleBar } from 'cli-progress'
import type { Tally } from './tally.ts'

const lookMs = 250
/** Where nobody watches, in a log, a line now and then is enough. */
const lineMs = 5_000

/** Shows on the terminal how many wait, are inside, have seats and are gone, until the function it returns is called. */
export function showProgress(tally: Tally): () => void {
  const bar = new SingleBar(
    {
      format:
        '{bar} {value}/{total} gone   {waiting} waiting   {inside} inside   {sold} seats sold   {duration} s',
      hideCursor: true,
      noTTYOutput: true,
      notTTYSchedule: lineMs,
      barsize: 24,
    },
    Presets.shades_classic,
  )
  const state = () => ({ waiting: tally.waiting, inside: tally.inside, sold: tally.seatsSold })
  bar.start(tally.fans, 0, state())
  const timer = setInterval(() => bar.update(tally.gone, state()), lookMs)
  return () => {
    clearInterval(timer)
    bar.update(tally.gone, state())
    bar.stop()
  }
}
