import { Command, InvalidArgumentError, Option } from 'commander'

export type RushOptions = {
  fans: number
  instances: number
  seats: number
  capacity: number
  ratePerSecond: number
  arriveSeconds: number
  thinkSeconds: number
  patienceSeconds: number
  /** Shares of the fans, from 0 to 1. */
  noShows: number
  abandon: number
  streams: number
  /** Share of payments whose connection is lost while they are under way. */
  lost: number
  /** Empty: the service on this machine, or one of the rush's own. */
  urls: string[]
  operatorToken: string | undefined
  seed: number
  minutes: number
}

/** Bounds what one process and its sockets can play. */
const fansMax = 200_000
const seatsMax = 200_000
const instancesMax = 16

/** Reads the command line. Throws commander's error, with one clear message, when an option is wrong. */
export function readOptions(args: readonly string[]): RushOptions {
  const urls: string[] = []
  const command = new Command('rush')
    .description(
      'Plays a crowd that wants the seats of one concert, as real clients would, and checks that every promise was kept.',
    )
    .option('--fans <number>', 'how many want in', whole('--fans', 1, fansMax), 5_000)
    .option(
      '--instances <number>',
      'start this many of the service',
      whole('--instances', 1, instancesMax),
      1,
    )
    .option('--seats <number>', 'seats of the concert', whole('--seats', 1, seatsMax), 1_000)
    .option('--capacity <number>', 'fans inside at once', whole('--capacity', 1, 1_000_000), 300)
    .option('--rate <number>', 'fans let in per second', amount(0.01, 1_000_000), 200)
    .option('--arrive <seconds>', 'all fans come within', amount(0, 3_600), 5)
    .option('--think <seconds>', 'a fan looks at something for about', amount(0, 3_600), 1)
    .option('--patience <seconds>', 'a fan gives up waiting after', amount(0, 86_400), 60)
    .addOption(share('--no-shows <share>', 'fans who join and never come back', 0.05))
    .addOption(share('--abandon <share>', 'fans who hold seats and do not pay', 0.1))
    .addOption(share('--streams <share>', 'fans who watch their place instead of polling', 0.1))
    .addOption(share('--lost <share>', 'payments whose connection is lost on the way', 0.02))
    .option('--url <url>', 'a running instance; again for each further one', (text: string) => {
      urls.push(readUrl(text))
      return urls
    })
    .option('--operator-token <token>', 'default: OPERATOR_TOKEN, or the one the service keeps in .data/')
    .option('--seed <number>', 'the same seed plays the same fans', whole('--seed', 0, 2 ** 32 - 1), 1)
    .option('--minutes <number>', 'end at the latest after', amount(0.05, 1_440), 10)
    .allowExcessArguments(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride()
  command.parse(args, { from: 'user' })
  const given = command.opts<{
    fans: number
    instances: number
    seats: number
    capacity: number
    rate: number
    arrive: number
    think: number
    patience: number
    // commander reads `--no-shows` as the opposite of `shows`, and gives the value that name.
    shows: number
    abandon: number
    streams: number
    lost: number
    operatorToken?: string
    seed: number
    minutes: number
  }>()
  if (given.instances > 1 && urls.length > 0) {
    command.error('error: --instances starts a service, --url uses one: choose one of them')
  }
  if (given.shows + given.abandon > 1)
    command.error('error: --no-shows and --abandon are more than all fans together')
  return {
    fans: given.fans,
    instances: given.instances,
    seats: given.seats,
    capacity: given.capacity,
    ratePerSecond: given.rate,
    arriveSeconds: given.arrive,
    thinkSeconds: given.think,
    patienceSeconds: given.patience,
    noShows: given.shows,
    abandon: given.abandon,
    streams: given.streams,
    lost: given.lost,
    urls,
    operatorToken: given.operatorToken,
    seed: given.seed,
    minutes: given.minutes,
  }
}

function whole(_name: string, least: number, most: number) {
  return (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most)) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
    }
    return value
  }
}

function amount(least: number, most: number) {
  return (text: string): number => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most))
      throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`)
    return value
  }
}

function share(flags: string, description: string, byDefault: number): Option {
  return new Option(flags, description).default(byDefault).argParser((text: string) => {
    const [, number, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? []
    const value = percent ? Number(number) / 100 : Number(number)
    if (!(value >= 0 && value <= 1))
      throw new InvalidArgumentError('It must be a share from 0 to 1, or from 0% to 100%.')
    return value
  })
}

function readUrl(text: string): string {
  const url = URL.parse(text)
  if (!url || url.protocol !== 'http:' || url.pathname !== '/') {
    throw new InvalidArgumentError('It must be like http://localhost:3000.')
  }
  return url.origin
}
