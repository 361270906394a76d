import { computed, effect, signal } from '@preact/signals'
import { isPassing, NoAnswer, Refusal } from '../api/refusal.ts'
import { keep } from '../state/storage.ts'
import type { Messages } from './en.ts'

export type Language = 'ko' | 'en'

/** What a language calls itself, whatever is spoken now. */
export const languageNames: Record<Language, string> = { ko: '한국어', en: 'English' }

/** A fan reads one language; the other is fetched when it is asked for. */
const sources: Record<Language, () => Promise<Messages>> = {
  ko: async () => (await import('./ko.ts')).ko,
  en: async () => (await import('./en.ts')).en,
}

const kept = keep<Language>(
  'language',
  navigator.languages.some((name) => name.startsWith('ko')) ? 'ko' : 'en',
)
export const setLanguage = kept.set

const spoken = signal<{ language: Language; messages: Messages } | undefined>(undefined)

/** Settles when there are sentences to show. */
export const isReady = new Promise<void>((resolve) => {
  effect(() => {
    const wanted = kept.signal.value
    void sources[wanted]().then((messages) => {
      if (kept.signal.value !== wanted) return
      spoken.value = { language: wanted, messages }
      document.documentElement.lang = wanted
      resolve()
    })
  })
})

/** The language of the page as it is: the one chosen, once its sentences are here. */
export const language = computed(() => spoken.value?.language ?? kept.signal.value)

/** The sentences of that language. */
export const t = computed(() => {
  if (!spoken.value) throw new Error('nothing is rendered before `isReady`')
  return spoken.value.messages
})

/** Concerts are in Korea; their times are told as their venues tell them, wherever the fan is. */
const timeZone = 'Asia/Seoul'

const formats = computed(() => {
  const date = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(language.value, { timeZone, ...options })
  return {
    number: new Intl.NumberFormat(language.value),
    day: date({ month: 'short', day: 'numeric', weekday: 'short' }),
    dayOfYear: date({ dateStyle: 'full' }),
    time: date({ hour: 'numeric', minute: '2-digit' }),
    dayOfMonth: date({ day: 'numeric' }),
    month: date({ month: 'short' }),
    weekday: date({ weekday: 'short' }),
  }
})

type Moment = string | number | Date

export const format = {
  number: (value: number) => formats.value.number.format(value),
  won: (value: number) => t.value.won(formats.value.number.format(value)),
  priceRange: (from: number, to: number) =>
    from === to ? format.won(from) : `${format.won(from)} – ${format.won(to)}`,
  day: (moment: Moment) => formats.value.day.format(new Date(moment)),
  /** A day and a time, told apart as the language does it. */
  long: (moment: Moment) => `${format.day(moment)} ${format.time(moment)}`,
  full: (moment: Moment) => `${formats.value.dayOfYear.format(new Date(moment))} ${format.time(moment)}`,
  time: (moment: Moment) => formats.value.time.format(new Date(moment)),
  month: (moment: Moment) => formats.value.month.format(new Date(moment)),
  weekday: (moment: Moment) => formats.value.weekday.format(new Date(moment)),
  /** The day as a bare number, also where the language would add a word to it. */
  dayNumber: (moment: Moment) =>
    formats.value.dayOfMonth.formatToParts(new Date(moment)).find(({ type }) => type === 'day')?.value ?? '',
  /** Seat numbers, runs drawn together: `7–9, 12`. */
  seatList: (numbers: number[]) => {
    const runs: [number, number][] = []
    for (const number of numbers.toSorted((a, b) => a - b)) {
      const run = runs.at(-1)
      if (run && run[1] === number - 1) run[1] = number
      else runs.push([number, number])
    }
    return runs
      .map(([from, to]) => (from === to ? `${from}` : to - from === 1 ? `${from}, ${to}` : `${from}–${to}`))
      .join(', ')
  },
  seats: (numbers: number[]) => t.value.seats(format.seatList(numbers), numbers.length),
  clock: (seconds: number) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`,
  spoken: (seconds: number) => t.value.spoken(Math.floor(seconds / 60), seconds % 60),
  /** A duration as one would say it: nobody waits 437 seconds. */
  about: (seconds: number) => {
    if (seconds < 90) return seconds < 60 ? t.value.line.lessThanMinute : t.value.minutes('1')
    if (seconds < 5_400) return t.value.minutes(format.number(Math.round(seconds / 60)))
    return t.value.hours(format.number(Math.round(seconds / 3_600)))
  },
  until: (seconds: number) => {
    if (seconds >= 2 * 86_400) {
      const days = new Intl.NumberFormat(language.value, { style: 'unit', unit: 'day', unitDisplay: 'long' })
      return days.format(Math.floor(seconds / 86_400))
    }
    const hours = Math.floor(seconds / 3_600)
    const rest = format.clock(seconds % 3_600)
    return hours > 0 ? `${hours}:${rest.padStart(5, '0')}` : rest
  },
}

/** What went wrong, in words for a fan. */
export function explain(error: unknown): string {
  const { problem } = t.value
  if (error instanceof NoAnswer) return problem.network
  if (!(error instanceof Refusal)) return problem.internal
  const known = (problem as Record<string, unknown>)[error.code]
  const trace = error.text('traceId')
  const words = typeof known === 'string' ? known : isPassing(error) ? problem.unavailable : problem.internal
  return trace && error.code === 'internal' ? `${words} ${problem.trace(trace)}` : words
}
