import { useEffect, useRef, useState } from 'preact/hooks'
import { call, type Answer } from '../api/client.ts'
import { ConfirmButton } from '../components/confirm-button.tsx'
import { Icon } from '../components/icon.tsx'
import { Outside, SignInOver } from '../components/inside.tsx'
import { Notice } from '../components/notice.tsx'
import { Loading, PageTitle } from '../components/page.tsx'
import { Steps } from '../components/steps.tsx'
import { format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { account, isSignInOver } from '../state/account.ts'
import { announce, announceNow } from '../state/announce.ts'
import { isConnected } from '../state/connection.ts'
import { open, openInstead } from '../state/location.ts'
import { followPlace, leaveLine, placeOf, stateOf, type Place, type PlaceState } from '../state/places.ts'
import { settings } from '../state/settings.ts'
import { callAttention, pageTitle } from '../state/title.ts'
import { isHidden, rest } from '../state/wake.ts'

/** The pace of the line is looked at this often; the place itself is told by the server. */
const paceMs = 10_000
/** A screen reader hears of the place at most this often, unless the turn comes. */
const announceMs = 20_000
/** With fewer seats than this share of the people ahead, waiting may be for nothing. */
const scarce = 1

export function WaitingRoom({ concertId }: { concertId: number }) {
  const place = placeOf(concertId)
  const state = stateOf(concertId)
  const wasWaiting = useRef(false)
  useEffect(() => followPlace(concertId), [concertId])
  useEffect(() => {
    if (state?.status === 'waiting') wasWaiting.current = true
    if (state?.status !== 'active') return
    if (wasWaiting.current) {
      callAttention(t.value.line.turnTitle)
      announceNow(t.value.line.turn)
      navigator.vibrate?.([200, 100, 200])
    }
    openInstead(urlTo('shows', { concertId }))
  }, [state?.status])

  if (isSignInOver.value) return <SignInOver concertId={concertId} />
  if (!account.value || !place) return <Outside concertId={concertId} reason="none" />
  if (!state || state.status === 'active') return <Loading lines={5} />
  if (state.status === 'ended') return <Outside concertId={concertId} reason={state.reason ?? 'expired'} />
  return <Waiting place={place} state={state} />
}

function usePace(concertId: number): Answer<'readQueue'> | undefined {
  const [line, setLine] = useState<Answer<'readQueue'>>()
  useEffect(() => {
    const stop = new AbortController()
    async function look(): Promise<void> {
      while (!stop.signal.aborted) {
        // Only the pace is missing when this fails; the place has its own way.
        if (!isHidden())
          await call('readQueue', { params: { concertId }, signal: stop.signal }).then(setLine, () => {})
        await rest(paceMs, stop.signal)
      }
    }
    void look()
    return () => stop.abort()
  }, [concertId])
  return line
}

function Waiting({ place, state }: { place: Place; state: PlaceState }) {
  const words = t.value.line
  const { concertId, firstAhead, title } = place
  const { ahead, estimatedWaitSeconds, seatsLeft } = state
  const line = usePace(concertId)
  const wait =
    estimatedWaitSeconds < 60 ? words.lessThanMinute : words.about(format.about(estimatedWaitSeconds))
  const progress = firstAhead > 0 ? Math.min(1, Math.max(0, 1 - ahead / (firstAhead + 1))) : 0.5
  const isLeaving = useRef(false)

  const announcedAt = useRef(0)
  useEffect(() => {
    pageTitle.value = ahead === 0 ? words.next : words.tab(format.number(ahead))
    if (Date.now() - announcedAt.current < announceMs) return
    announcedAt.current = Date.now()
    announce(words.announce(format.number(ahead), wait))
  }, [ahead, words])

  async function leave(): Promise<void> {
    if (isLeaving.current) return
    isLeaving.current = true
    open(urlTo('concert', { concertId }))
    announce(words.left_)
    // Should it not arrive, the place lapses by itself when its turn comes.
    await leaveLine(concertId).catch(() => {})
  }

  return (
    <section class="waiting">
      <Steps at={0} />
      <PageTitle title={words.title}>
        <span class="overline">{title}</span>
        {words.title}
      </PageTitle>
      <div class="waiting-board">
        <p class="waiting-ahead">
          {ahead === 0 ? (
            <b class="waiting-next">{words.next}</b>
          ) : (
            <>
              <b class="waiting-count">{format.number(ahead)}</b>
              <span>{ahead === 1 ? words.aheadOne : words.ahead}</span>
            </>
          )}
        </p>
        <WayToTheFront progress={progress} />
        <dl class="waiting-facts">
          <div>
            <dt>{words.wait}</dt>
            <dd>{wait}</dd>
          </div>
          <div>
            <dt>{words.left}</dt>
            <dd>{format.number(seatsLeft)}</dd>
          </div>
          <div>
            <dt>{words.pace}</dt>
            <dd>{line ? words.perMinute(format.number(Math.round(line.admittedPerSecond * 60))) : '–'}</dd>
          </div>
        </dl>
        <p class="waiting-number">{words.number(format.number(place.number))}</p>
      </div>
      {line?.paused && <Notice kind="warn">{words.paused}</Notice>}
      {!isConnected.value && <Notice kind="warn">{words.offline}</Notice>}
      {seatsLeft < ahead * scarce && <Notice kind="info">{words.fewSeats}</Notice>}
      <section class="how">
        <h2>{words.whatNext}</h2>
        <ul class="ticks">
          <li>
            <Icon name="check" />
            {words.next1}
          </li>
          <li>
            <Icon name="check" />
            {words.next2}
          </li>
          <li>
            <Icon name="clock" />
            {words.next3(format.spoken(settings.claimSeconds))}
          </li>
        </ul>
      </section>
      <ConfirmButton
        label={words.leave}
        question={words.leaveSure}
        yes={words.leaveYes}
        no={words.leaveNo}
        onConfirm={() => void leave()}
      />
    </section>
  )
}

/** The line, drawn: people before the door, and the fan among them. */
function WayToTheFront({ progress }: { progress: number }) {
  const { progress: label, here, door } = t.value.line
  const percent = Math.round(progress * 100)
  return (
    <div
      class="way"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <div class="way-track" aria-hidden="true" style={{ '--progress': `${percent}%` }}>
        <span class="way-done" />
        <span class="way-you">
          <span>{here}</span>
        </span>
        <span class="way-door">
          <Icon name="door" />
          <span class="sr-only">{door}</span>
        </span>
      </div>
    </div>
  )
}
