import { signal } from '@preact/signals'

/** False from the first call that got no answer until one does. */
export const isConnected = signal(navigator.onLine)

export function noteAnswer(answered: boolean): void {
  isConnected.value = answered
}

addEventListener('offline', () => noteAnswer(false))
