import { expect, test } from 'vitest'
import { readOptions } from './options.ts'

test('without options, five thousand fans want a thousand seats of whatever service there is', () => {
  expect(readOptions([])).toEqual({
    fans: 5_000,
    instances: 1,
    seats: 1_000,
    capacity: 300,
    ratePerSecond: 200,
    arriveSeconds: 5,
    thinkSeconds: 1,
    patienceSeconds: 60,
    noShows: 0.05,
    abandon: 0.1,
    streams: 0.1,
    lost: 0.02,
    urls: [],
    operatorToken: undefined,
    seed: 1,
    minutes: 10,
  })
})

test('a share is a number or percent', () => {
  expect(readOptions(['--no-shows', '20%', '--abandon', '0.5'])).toMatchObject({ noShows: 0.2, abandon: 0.5 })
})

test('every url is an instance of the service', () => {
  const options = readOptions(['--url', 'http://localhost:3000', '--url', 'http://127.0.0.1:3001/'])
  expect(options.urls).toEqual(['http://localhost:3000', 'http://127.0.0.1:3001'])
})

test.for([
  [['--fans', 'many'], /'--fans <number>'.*'many'.*whole number from 1 to/],
  [['--fans', '0'], /'--fans <number>'/],
  [['--seats', '1e3'], /'--seats <number>'/],
  [['--patience', '-1'], /'--patience <seconds>'/],
  [['--no-shows', '120%'], /'--no-shows <share>'.*from 0 to 1/],
  [['--url', 'localhost:3000'], /'--url <url>'.*http:\/\/localhost:3000/],
  [['--url', 'http://localhost:3000/v1'], /'--url <url>'/],
  [['--fan', '5'], /unknown option '--fan'/],
  [['5000'], /too many arguments/],
  [['--instances', '2', '--url', 'http://localhost:3000'], /choose one of them/],
  [['--no-shows', '0.7', '--abandon', '0.7'], /more than all fans/],
] as const)('%j is refused with one message that says what is wrong', ([args, message]) => {
  expect(() => readOptions(args)).toThrow(message)
})
