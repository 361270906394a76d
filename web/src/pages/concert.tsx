import { useEffect, useRef, useState } from 'preact/hooks'
import { call, type Answer } from '../api/client.ts'
import { Refusal } from '../api/refusal.ts'
import { StatusChip } from '../components/concert-card.tsx'
import { Icon } from '../components/icon.tsx'
import { Notice } from '../components/notice.tsx'
import { Failed, Loading, PageTitle } from '../components/page.tsx'
import { Poster } from '../components/poster.tsx'
import { useLoaded } from '../components/use-loaded.ts'
import { explain, format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { account, isSignInOver } from '../state/account.ts'
import { now, secondsUntil } from '../state/clock.ts'
import { readConcert, type ConcertWithShows } from '../state/concerts.ts'
import { open } from '../state/location.ts'
import { followPlace, forgetPlace, joinLine, placeOf, stateOf } from '../state/places.ts'
import { settings } from '../state/settings.ts'
import { signUp } from '../state/sign-up.ts'
import { isHidden, rest } from '../state/wake.ts'
import { OtherConcerts } from './concerts.tsx'

/** A fan who thinks about joining sees the line move this often. */
const lookMs = 5_000
/** More dates than this are told as a span. */
const datesShown = 4

type Line = Answer<'readQueue'>

function useLine(concertId: number, isOn: boolean): Line | undefined {
  const [line, setLine] = useState<Line>()
  useEffect(() => {
    if (!isOn) return
    const stop = new AbortController()
    async function look(): Promise<void> {
      while (!stop.signal.aborted) {
        // A number to look at: without it, joining works all the same.
        if (!isHidden())
          await call('readQueue', { params: { concertId }, signal: stop.signal }).then(setLine, () => {})
        await rest(lookMs, stop.signal)
      }
    }
    void look()
    return () => stop.abort()
  }, [concertId, isOn])
  return line
}

export function Concert({ concertId }: { concertId: number }) {
  const words = t.value.concert
  const {
    value: concert,
    error,
    reload,
  } = useLoaded(`${concertId}`, (signal) => readConcert(concertId, signal), lookMs)
  if (error !== undefined && !concert) {
    return (
      <>
        <PageTitle isHidden>{words.notFound}</PageTitle>
        <Failed error={error} reload={reload}>
          <a class="button" href={urlTo('concerts')}>
            {t.value.ended.concerts}
          </a>
        </Failed>
      </>
    )
  }
  if (!concert) return <Loading lines={6} />
  const { title, artist, venue, shows, priceFrom, priceTo, seatsLeft, status, saleOpensAt } = concert
  return (
    <>
      <article class="concert">
        <div class="concert-poster">
          <Poster concert={concert} />
        </div>
        <div class="concert-banner">
          <Poster concert={concert} bare />
        </div>
        <div class="concert-text">
          <StatusChip status={status} />
          <PageTitle>{title}</PageTitle>
          <p class="lead">{artist}</p>
          <dl class="facts">
            <div>
              <dt>{words.venue}</dt>
              <dd>{venue}</dd>
            </div>
            <div>
              <dt>{words.price}</dt>
              <dd>{format.priceRange(priceFrom, priceTo)}</dd>
            </div>
            <div>
              <dt>{words.dates}</dt>
              <dd>
                <Dates shows={shows} />
              </dd>
            </div>
            {status === 'upcoming' && (
              <div>
                <dt>{words.opens}</dt>
                <dd>
                  {format.long(saleOpensAt)} <span class="quiet">({t.value.koreanTime})</span>
                </dd>
              </div>
            )}
            {status === 'on-sale' && (
              <div>
                <dt>{words.left}</dt>
                <dd>{seatsLeft > 0 ? t.value.seatsLeft(format.number(seatsLeft)) : t.value.noSeatsLeft}</dd>
              </div>
            )}
          </dl>
          <Door concert={concert} reload={reload} />
          {(status === 'on-sale' || status === 'upcoming') && (
            <section class="how">
              <h2>{words.steps}</h2>
              <ol>
                <li>{words.step1}</li>
                <li>{words.step2.replace('{n}', format.number(settings.seatsMax))}</li>
                <li>{words.step3}</li>
              </ol>
            </section>
          )}
        </div>
      </article>
      {(status === 'sold-out' || status === 'closed') && <OtherConcerts except={concertId} />}
    </>
  )
}

function Dates({ shows }: Pick<ConcertWithShows, 'shows'>) {
  const [first] = shows
  const last = shows.at(-1)
  if (first && last && shows.length > datesShown) {
    return t.value.concert.manyDates(format.day(first.startsAt), format.day(last.startsAt), shows.length)
  }
  return shows.map(({ showId, startsAt }) => (
    <span key={showId} class="facts-date">
      {format.day(startsAt)}
    </span>
  ))
}

/** The way in: whatever stands in it is said, and what to do about it. */
function Door({ concert, reload }: { concert: ConcertWithShows; reload: () => void }) {
  const words = t.value.concert
  const { concertId, status } = concert
  const place = placeOf(concertId)
  const state = stateOf(concertId)
  useEffect(() => (place ? followPlace(concertId) : undefined), [concertId, place?.token])

  if (place && state?.status === 'waiting') {
    return (
      <a class="button button-main button-wide" href={urlTo('line', { concertId })}>
        {words.toLine}
      </a>
    )
  }
  if (place && state?.status === 'active') {
    return (
      <a class="button button-main button-wide" href={urlTo('shows', { concertId })}>
        {words.inside}
      </a>
    )
  }
  switch (status) {
    case 'on-sale':
      return <Join concert={concert} reload={reload} />
    case 'upcoming':
      return <Opening concert={concert} reload={reload} />
    case 'sold-out':
      return <Notice title={words.soldOut}>{words.soldOutSub}</Notice>
    case 'closed':
      return <Notice title={words.closed} />
  }
}

function Opening({ concert, reload }: { concert: ConcertWithShows; reload: () => void }) {
  const words = t.value.concert
  const seconds = secondsUntil(concert.saleOpensAt, now.value)
  useEffect(() => {
    if (seconds > 0) return
    // The service opens it by its own clock: asked until it says so.
    const timer = setInterval(reload, 1_000)
    return () => clearInterval(timer)
  }, [seconds === 0])
  return (
    <Notice kind="warn" icon="clock" title={words.opensIn(format.until(seconds))}>
      {words.opensHint}
    </Notice>
  )
}

function Join({ concert, reload }: { concert: ConcertWithShows; reload: () => void }) {
  const words = t.value.concert
  const { concertId, title } = concert
  const needsName = account.value === null || isSignInOver.value
  const [name, setName] = useState(account.value?.name ?? '')
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<string>()
  const field = useRef<HTMLInputElement>(null)
  const isSending = useRef(false)
  const line = useLine(concertId, true)

  async function join(event: Event): Promise<void> {
    event.preventDefault()
    if (isSending.current) return
    if (needsName && !name.trim()) {
      setFault(words.nameNeeded)
      field.current?.focus()
      return
    }
    isSending.current = true
    setBusy(true)
    setFault(undefined)
    try {
      if (needsName) await signUp(name.trim())
      if (stateOf(concertId)?.status === 'ended') forgetPlace(concertId)
      const state = await joinLine(concertId, title, account.value?.userId ?? '')
      open(state.status === 'active' ? urlTo('shows', { concertId }) : urlTo('line', { concertId }))
    } catch (error) {
      const isOff = error instanceof Refusal && error.code === 'sign-up-off'
      setFault(isOff ? t.value.signIn.off : explain(error))
      if (error instanceof Refusal && ['sold-out', 'sale-closed', 'sale-not-open'].includes(error.code))
        reload()
    } finally {
      isSending.current = false
      setBusy(false)
    }
  }

  const waiting = line ? Math.max(0, line.issued - line.serving) : undefined
  return (
    <form class="join" onSubmit={(event) => void join(event)} noValidate>
      {needsName && (
        <label class="field">
          <span>{words.name}</span>
          <input
            ref={field}
            name="name"
            autocomplete="name"
            maxLength={100}
            value={name}
            aria-describedby="name-hint join-fault"
            aria-invalid={fault !== undefined && !name.trim()}
            onInput={({ currentTarget }) => setName(currentTarget.value)}
          />
          <small id="name-hint" class="quiet">
            {words.nameHint}
          </small>
        </label>
      )}
      <div id="join-fault" role="alert">
        {fault && <p class="fault">{fault}</p>}
      </div>
      <button class="button button-main button-wide" aria-disabled={busy} aria-busy={busy}>
        {waiting === 0 ? words.joinNow : words.join}
        <Icon name="arrow" />
      </button>
      {waiting !== undefined && line && (
        <p class="join-line">
          <Icon name="people" />
          {line.paused
            ? t.value.line.paused
            : waiting === 0
              ? words.lineNone
              : `${words.lineNow(format.number(waiting))}${
                  line.admittedPerSecond > 0
                    ? ` · ${words.lineWait(format.about(waiting / line.admittedPerSecond))}`
                    : ''
                }`}
        </p>
      )}
    </form>
  )
}
