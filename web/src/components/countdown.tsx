import { useComputed } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { format } from '../i18n/index.ts'
import { announce, announceNow } from '../state/announce.ts'
import { now, secondsUntil } from '../state/clock.ts'
import { Icon } from './icon.tsx'

/** Seconds left at which a fan is told, and the last of them at once. */
const warnings = [120, 60, 30, 10]

/** Time until a deadline of the server's clock. Says so aloud when it runs out; calls `onEnd` when it has. */
export function Countdown(props: {
  until: string
  label: string
  warning: (time: string) => string
  onEnd?: () => void
  isSmall?: boolean
}) {
  const { until, label, warning, onEnd, isSmall } = props
  // Renders once a second, not at every tick of the clock.
  const left = useComputed(() => secondsUntil(until, now.value))
  const seconds = left.value
  const told = useRef<{ until: string; from: number }>({ until, from: seconds })
  if (told.current.until !== until) told.current = { until, from: seconds }

  useEffect(() => {
    const due = warnings.find((at) => seconds <= at && told.current.from > at)
    if (due !== undefined && seconds > 0) {
      const say = due <= 30 ? announceNow : announce
      say(warning(format.spoken(seconds)))
    }
    told.current.from = seconds
    if (seconds === 0) onEnd?.()
  }, [seconds, until])

  const state = seconds <= 30 ? 'last' : seconds <= 120 ? 'soon' : 'calm'
  return (
    <div class={`countdown countdown-${state} ${isSmall ? 'countdown-small' : ''}`}>
      <Icon name={state === 'last' ? 'alert' : 'clock'} />
      <span class="countdown-label">{label}</span>
      <span class="countdown-time" role="timer" aria-label={`${label}: ${format.spoken(seconds)}`}>
        {format.clock(seconds)}
      </span>
    </div>
  )
}
