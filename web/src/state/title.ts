import { computed, effect, signal } from '@preact/signals'

export const pageTitle = signal('')
/** What a hidden tab must say first: it is the fan's turn, or the line has moved. */
const attention = signal('')

export function callAttention(text: string): void {
  if (document.visibilityState === 'hidden') attention.value = text
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') attention.value = ''
})

const title = computed(() => [attention.value, pageTitle.value, 'Frontrow'].filter(Boolean).join(' · '))

effect(() => {
  document.title = title.value
})
