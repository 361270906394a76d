import { useEffect, useRef, useState } from 'preact/hooks'
import { isPassing, Refusal } from '../api/refusal.ts'
import { ChargeForm } from '../components/charge-form.tsx'
import { ConfirmButton } from '../components/confirm-button.tsx'
import { Countdown } from '../components/countdown.tsx'
import { Notice } from '../components/notice.tsx'
import { PageTitle } from '../components/page.tsx'
import { Poster } from '../components/poster.tsx'
import { Steps } from '../components/steps.tsx'
import { explain, format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { balance, readBalance } from '../state/balance.ts'
import type { ConcertWithShows } from '../state/concerts.ts'
import { cancelHold, isPaying, payHold, type Reservation } from '../state/holds.ts'
import { openInstead } from '../state/location.ts'
import { askPlace, placeOf, stateOf } from '../state/places.ts'
import { rest } from '../state/wake.ts'

const againMs = 3_000

/** Refusals at the door: the seats are still held, the fan is not inside any more. */
const outside = new Set(['session-ended', 'not-admitted', 'queue-token-invalid', 'queue-token-wrong-concert'])

export function Checkout(props: {
  reservation: Reservation
  concert: ConcertWithShows
  onChange: () => void
  onOver: () => void
}) {
  const { reservation, concert, onChange, onOver } = props
  const words = t.value.checkout
  const { reservationId, concertId, showId, seats, total, heldUntil } = reservation
  const [isBusy, setBusy] = useState(false)
  const [isWaiting, setWaiting] = useState(false)
  const [fault, setFault] = useState<string>()
  const isSending = useRef(false)
  const payButton = useRef<HTMLButtonElement>(null)
  const startsAt = concert.shows.find((show) => show.showId === showId)?.startsAt

  useEffect(() => {
    const stop = new AbortController()
    async function read(): Promise<void> {
      while (!stop.signal.aborted) {
        try {
          return await readBalance()
        } catch (error) {
          if (!isPassing(error)) return
          await rest(againMs, stop.signal)
        }
      }
    }
    void read()
    // Whether paying is possible depends on the place; without one the way back in is offered at once.
    askPlace(concertId).catch(() => {})
    // A payment was under way when the page was reloaded: the same key asks what became of it.
    if (isPaying(reservationId)) void pay()
    return () => stop.abort()
  }, [reservationId])

  async function pay(): Promise<void> {
    if (isSending.current) return
    isSending.current = true
    setBusy(true)
    setFault(undefined)
    try {
      await payHold(reservation, () => setWaiting(true))
      scrollTo({ top: 0, behavior: 'instant' })
      onChange()
    } catch (error) {
      await refuse(error)
    } finally {
      isSending.current = false
      setBusy(false)
      setWaiting(false)
    }
  }

  async function refuse(reason: unknown): Promise<void> {
    if (!(reason instanceof Refusal)) throw reason
    if (reason.code === 'insufficient-balance') {
      balance.value = reason.number('balance') ?? balance.value
      setFault(words.low)
    } else if (reason.code === 'hold-expired') onOver()
    else if (reason.code === 'already-paid' || reason.code === 'not-held') onChange()
    else if (outside.has(reason.code)) await askPlace(concertId).catch(() => {})
    else setFault(explain(reason))
  }

  async function cancel(): Promise<void> {
    try {
      await cancelHold(reservationId)
      openInstead(urlTo('seats', { concertId, showId }))
    } catch (error) {
      if (error instanceof Refusal && error.code === 'not-held') onChange()
      else setFault(explain(error))
    }
  }

  const place = placeOf(concertId)
  const state = stateOf(concertId)
  const isOutside = !place || state?.status === 'ended' || state?.status === 'waiting'
  const missing = balance.value === undefined ? 0 : Math.max(0, total - balance.value)

  return (
    <section class="checkout">
      <Steps at={3} />
      <PageTitle title={words.title}>{words.title}</PageTitle>
      <p class="lead">{words.sub}</p>
      <Countdown
        until={heldUntil}
        label={words.timeLeft}
        warning={words.warning}
        onEnd={() => !isSending.current && onOver()}
      />
      <div class="checkout-columns">
        <section class="order" aria-label={words.order}>
          <div class="order-head">
            <span class="order-poster">
              <Poster concert={concert} bare />
            </span>
            <div>
              <h2>{concert.title}</h2>
              {startsAt && <p>{format.long(startsAt)}</p>}
              <p class="quiet">{concert.venue}</p>
            </div>
          </div>
          <ul class="order-seats">
            {seats.map(({ number, price }) => (
              <li key={number}>
                <span>{t.value.map.seat(number)}</span>
                <span>{format.won(price)}</span>
              </li>
            ))}
          </ul>
          <dl class="sums">
            <div class="sums-total">
              <dt>{words.total}</dt>
              <dd>{format.won(total)}</dd>
            </div>
            <div>
              <dt>{words.balance}</dt>
              <dd>{balance.value === undefined ? '…' : format.won(balance.value)}</dd>
            </div>
            {balance.value !== undefined && missing === 0 && (
              <div>
                <dt>{words.after}</dt>
                <dd>{format.won(balance.value - total)}</dd>
              </div>
            )}
          </dl>
        </section>
        <div class="checkout-pay">
          {isOutside ? (
            <Notice
              kind="warn"
              actions={
                <a class="button button-main" href={urlTo('concert', { concertId })}>
                  {t.value.ended.again}
                </a>
              }
            >
              {place ? words.rejoin : words.otherDevice}
            </Notice>
          ) : (
            <>
              {missing > 0 && (
                <Notice
                  kind="warn"
                  icon="wallet"
                >{`${words.low} ${words.short(format.won(missing))}`}</Notice>
              )}
              <div role="alert">
                {fault && missing === 0 && <p class="fault">{fault}</p>}
                {isWaiting && <Notice kind="info">{words.checking}</Notice>}
              </div>
              {missing > 0 ? (
                <ChargeForm needed={missing} onCharged={() => payButton.current?.focus()} />
              ) : (
                <button
                  ref={payButton}
                  class="button button-main button-wide"
                  aria-disabled={isBusy || balance.value === undefined}
                  aria-busy={isBusy}
                  onClick={() => balance.value !== undefined && void pay()}
                >
                  {isBusy ? words.paying : words.pay(format.won(total))}
                </button>
              )}
            </>
          )}
          <ConfirmButton
            label={words.cancel}
            question={words.cancelSure}
            yes={words.cancelYes}
            no={words.cancelNo}
            onConfirm={() => void cancel()}
          />
        </div>
      </div>
    </section>
  )
}
