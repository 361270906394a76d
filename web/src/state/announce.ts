import { signal } from '@preact/signals'

/** What a screen reader says next, when it has finished what it says. */
export const polite = signal('')
/** What it says at once. For time running out, and nothing else. */
export const urgent = signal('')

/** Two messages closer than this are one: the later. */
const gapMs = 1_500
let timer: ReturnType<typeof setTimeout> | undefined

export function announce(text: string): void {
  clearTimeout(timer)
  timer = setTimeout(() => {
    // The same words again are news only if the region was empty in between.
    polite.value = polite.value === text ? `${text}\u00a0` : text
  }, gapMs / 10)
}

export function announceNow(text: string): void {
  urgent.value = urgent.value === text ? `${text}\u00a0` : text
}
