import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { account, isSignInOver } from '../state/account.ts'
import { openInstead } from '../state/location.ts'
import { followPlace, forgetPlace, placeOf, stateOf, type EndReason } from '../state/places.ts'
import { Countdown } from './countdown.tsx'
import type { IconName } from './icon.tsx'
import { Empty, Loading, PageTitle } from './page.tsx'

const icons: Record<EndReason | 'none', IconName> = {
  completed: 'ticket',
  expired: 'clock',
  'no-show': 'clock',
  left: 'door',
  'sold-out': 'ticket',
  none: 'people',
}

/** Says why the fan is not inside, and what to do now. */
export function Outside({ concertId, reason }: { concertId: number; reason: EndReason | 'none' }) {
  const { ended } = t.value
  const canAgain = reason !== 'sold-out' && reason !== 'completed'
  return (
    <section class="narrow">
      <PageTitle isHidden>{ended.title[reason]}</PageTitle>
      <Empty icon={icons[reason]} title={ended.title[reason]} text={ended.text[reason]}>
        {canAgain && (
          <a
            class="button button-main"
            href={urlTo('concert', { concertId })}
            onClick={() => forgetPlace(concertId)}
          >
            {ended.again}
          </a>
        )}
        {reason === 'completed' && (
          <a class="button button-main" href={urlTo('reservations')}>
            {ended.tickets}
          </a>
        )}
        <a class="button" href={urlTo('concerts')}>
          {ended.concerts}
        </a>
      </Empty>
    </section>
  )
}

/** Shows its children to an admitted fan only; everyone else is told where they stand. */
export function Inside({ concertId, children }: { concertId: number; children: ComponentChildren }) {
  const place = placeOf(concertId)
  const state = stateOf(concertId)
  useEffect(() => followPlace(concertId), [concertId])
  useEffect(() => {
    if (state?.status === 'waiting') openInstead(urlTo('line', { concertId }))
  }, [state?.status])

  if (isSignInOver.value) return <SignInOver concertId={concertId} />
  if (!account.value || !place) return <Outside concertId={concertId} reason="none" />
  if (!state || state.status === 'waiting') return <Loading lines={5} />
  if (state.status === 'ended') return <Outside concertId={concertId} reason={state.reason ?? 'expired'} />
  return children
}

/** The end of the time inside, wherever the fan is choosing. */
export function SessionTime({ concertId }: { concertId: number }) {
  const { timeInside } = t.value.shows
  const activeUntil = stateOf(concertId)?.activeUntil
  if (!activeUntil) return null
  return (
    <Countdown until={activeUntil} label={timeInside} warning={(time) => `${timeInside}: ${time}`} isSmall />
  )
}

/** The sign-in has run out: what is kept stays readable, and a new one is a step away. */
export function SignInOver({ concertId }: { concertId?: number }) {
  const { signIn, ended } = t.value
  return (
    <section class="narrow">
      <PageTitle isHidden>{signIn.over}</PageTitle>
      <Empty icon="door" title={signIn.over} text={signIn.overSub}>
        <a
          class="button button-main"
          href={concertId === undefined ? urlTo('concerts') : urlTo('concert', { concertId })}
        >
          {signIn.again}
        </a>
        <a class="button" href={urlTo('reservations')}>
          {ended.tickets}
        </a>
      </Empty>
    </section>
  )
}
