import { effect } from '@preact/signals'
import { keep } from './storage.ts'

export const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const kept = keep<Theme>('theme', 'auto')
export const theme = kept.signal
export const setTheme = kept.set

effect(() => {
  if (theme.value === 'auto') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme.value
})
