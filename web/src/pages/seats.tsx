import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Refusal } from '../api/refusal.ts'
import { Icon } from '../components/icon.tsx'
import { Inside, SessionTime } from '../components/inside.tsx'
import { Notice } from '../components/notice.tsx'
import { Failed, Loading, PageTitle } from '../components/page.tsx'
import { pricesOf, SeatLegend, SeatMap } from '../components/seat-map.tsx'
import { Steps } from '../components/steps.tsx'
import { useLoaded } from '../components/use-loaded.ts'
import { explain, format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { announce } from '../state/announce.ts'
import { now } from '../state/clock.ts'
import { knownConcert, readConcert } from '../state/concerts.ts'
import { hold, holdSeats, openHold } from '../state/holds.ts'
import { open } from '../state/location.ts'
import { nearbySeats, type Seat } from '../state/nearby-seats.ts'
import { askPlace, placeOf } from '../state/places.ts'
import { followSeats } from '../state/seats.ts'
import { settings } from '../state/settings.ts'

/** Changes of the map are summed up for a screen reader at most this often. */
const announceMs = 15_000

export function Seats({ concertId, showId }: { concertId: number; showId: number }) {
  return (
    <Inside concertId={concertId}>
      <Choose concertId={concertId} showId={showId} />
    </Inside>
  )
}

/** What stands in the way of the seats chosen, said above the map until the next choice. */
type Obstacle = { kind: 'taken'; seats: number[]; offer: number[] } | { kind: 'words'; text: string }

function Choose({ concertId, showId }: { concertId: number; showId: number }) {
  const words = t.value.map
  const map = useMemo(() => followSeats(concertId, showId), [concertId, showId])
  useEffect(() => map.stop, [map])
  const [selected, setSelected] = useState<number[]>([])
  const [obstacle, setObstacle] = useState<Obstacle>()
  const [isHolding, setHolding] = useState(false)
  const [isWaiting, setWaiting] = useState(false)
  const isSending = useRef(false)
  const seats = map.seats.value
  const { value: concert } = useLoaded(`${concertId}`, (signal) => readConcert(concertId, signal))
  const show = (concert ?? knownConcert(concertId))?.shows.find((one) => one.showId === showId)

  const held =
    hold.value?.showId === showId && new Date(hold.value.heldUntil).getTime() > now.value ? hold.value : null
  const yours = held?.seats.map(({ number }) => number) ?? []

  // Asked for before a reload: ask again, with the same key, and go on from its answer.
  useEffect(() => {
    const asked = openHold(showId)
    if (asked) void submit(asked)
  }, [showId])

  // Somebody else took a chosen seat before it was held.
  useEffect(() => {
    if (!seats || isSending.current) return
    const byNumber = new Map(seats.map((seat) => [seat.number, seat]))
    const gone = selected.filter(
      (number) => byNumber.get(number)?.state !== 'available' && !yours.includes(number),
    )
    if (gone.length > 0) tell(gone, selected)
  }, [seats])

  const total =
    seats?.filter(({ number }) => selected.includes(number)).reduce((sum, { price }) => sum + price, 0) ?? 0
  const freeCount = seats?.filter(({ state }) => state === 'available').length ?? 0
  const announced = useRef({ at: 0, free: -1 })
  useEffect(() => {
    if (!seats) return
    const { at, free } = announced.current
    if (free === freeCount || Date.now() - at < announceMs) return
    announced.current = { at: Date.now(), free: freeCount }
    if (free >= 0) announce(words.changed(format.number(freeCount)))
  }, [freeCount])

  function tell(taken: number[], wanted: number[]): void {
    map.noteTaken(taken)
    const offer = nearbySeats(map.seats.value ?? [], wanted)
    setSelected(wanted.filter((number) => !taken.includes(number)))
    setObstacle({ kind: 'taken', seats: taken, offer })
  }

  function toggle(seat: Seat): void {
    if (isSending.current) return
    if (selected.includes(seat.number)) {
      setSelected(selected.filter((number) => number !== seat.number))
      setObstacle(undefined)
      return
    }
    if (seat.state !== 'available') {
      const isYours = yours.includes(seat.number)
      announce(`${words.seat(seat.number)}, ${isYours ? words.yours : words[seat.state]}`)
      return
    }
    if (selected.length >= settings.seatsMax) {
      setObstacle({ kind: 'words', text: words.tooMany(settings.seatsMax) })
      return
    }
    const next = [...selected, seat.number].toSorted((a, b) => a - b)
    setSelected(next)
    setObstacle(undefined)
    announce(`${t.value.seatCount(next.length)}, ${words.total} ${format.won(total + seat.price)}`)
  }

  async function submit(wanted: number[]): Promise<void> {
    if (isSending.current || wanted.length === 0) return
    isSending.current = true
    setHolding(true)
    setObstacle(undefined)
    try {
      const { reservationId } = await holdSeats(concertId, showId, wanted, () => setWaiting(true))
      open(urlTo('reservation', { reservationId }))
    } catch (error) {
      refuse(error, wanted)
    } finally {
      isSending.current = false
      setHolding(false)
      setWaiting(false)
    }
  }

  function refuse(reason: unknown, wanted: number[]): void {
    if (!(reason instanceof Refusal)) throw reason
    switch (reason.code) {
      case 'seat-taken':
        return tell(reason.seats, wanted)
      case 'too-many-seats': {
        const limit = reason.number('limit') ?? settings.seatsMax
        const have = reason.number('have') ?? 0
        const text = have > 0 ? words.tooManyHave(limit, have) : words.tooMany(limit)
        return setObstacle({ kind: 'words', text })
      }
      default:
        // A refusal at the door shows itself once the place has been asked for.
        void askPlace(concertId).catch(() => {})
        return setObstacle({ kind: 'words', text: explain(reason) })
    }
  }

  const count = selected.length

  return (
    <section class="choose">
      <Steps at={2} />
      <div class="page-head">
        <PageTitle title={words.title}>
          <span class="overline">{placeOf(concertId)?.title}</span>
          {show ? format.long(show.startsAt) : words.title}
        </PageTitle>
        <SessionTime concertId={concertId} />
      </div>
      {held && (
        <Notice
          kind="good"
          actions={
            <a
              class="button button-small button-main"
              href={urlTo('reservation', { reservationId: held.reservationId })}
            >
              {words.toPay}
            </a>
          }
        >
          {words.youHold(format.seats(yours))}
        </Notice>
      )}
      {map.refusal.value !== undefined && (
        <Failed error={map.refusal.value} reload={() => location.reload()}>
          <a class="button" href={urlTo('shows', { concertId })}>
            {words.otherDates}
          </a>
        </Failed>
      )}
      {!seats && map.refusal.value === undefined && <Loading lines={6} />}
      {seats && (
        <div class="choose-columns">
          <div class="choose-map">
            <div class="choose-top">
              <Zones seats={seats} />
              <span class={map.isLive.value ? 'live' : 'live live-off'}>
                {map.isLive.value ? words.live : words.notLive}
              </span>
            </div>
            {freeCount === 0 && (
              <Notice
                kind="warn"
                title={seats.every(({ state }) => state === 'sold') ? words.allSold : words.full}
                actions={
                  <a class="button button-small" href={urlTo('shows', { concertId })}>
                    {words.otherDates}
                  </a>
                }
              >
                {seats.some(({ state }) => state === 'held') && words.fullSub}
              </Notice>
            )}
            <p id="map-help" class="sr-only">
              {words.help}
            </p>
            <SeatMap seats={seats} selected={selected} yours={yours} onToggle={toggle} />
            <SeatLegend />
          </div>
          <div class="basket">
            <div role="alert">
              {obstacle?.kind === 'words' && <Notice kind="warn">{obstacle.text}</Notice>}
              {obstacle?.kind === 'taken' && (
                <Notice
                  kind="warn"
                  title={words.taken(format.seatList(obstacle.seats), obstacle.seats.length)}
                  actions={
                    obstacle.offer.length > 0 ? (
                      <button
                        class="button button-small"
                        onClick={() => {
                          setSelected(obstacle.offer)
                          setObstacle(undefined)
                        }}
                      >
                        {words.takeOffer(format.seatList(obstacle.offer))}
                      </button>
                    ) : (
                      <a class="button button-small" href={urlTo('shows', { concertId })}>
                        {words.otherDates}
                      </a>
                    )
                  }
                >
                  {obstacle.offer.length > 0 ? words.offer(format.seatList(obstacle.offer)) : words.noOffer}
                </Notice>
              )}
              {isWaiting && <Notice kind="info">{t.value.checkout.checking}</Notice>}
            </div>
            {count === 0 ? (
              <p class="quiet">
                {words.nothing} {words.upTo(settings.seatsMax)}
              </p>
            ) : (
              <ul class="basket-seats">
                {seats
                  .filter(({ number }) => selected.includes(number))
                  .map((seat) => (
                    <li key={seat.number}>
                      <span>{words.seat(seat.number)}</span>
                      <span class="basket-price">{format.won(seat.price)}</span>
                      <button
                        class="icon-button icon-button-small"
                        aria-label={words.remove(seat.number)}
                        onClick={() => toggle(seat)}
                      >
                        <Icon name="cross" />
                      </button>
                    </li>
                  ))}
              </ul>
            )}
            <div class="basket-foot">
              <p class="basket-total">
                <span>{words.total}</span> <b>{format.won(total)}</b>
              </p>
              <button
                class="button button-main button-wide"
                aria-disabled={count === 0 || isHolding}
                aria-busy={isHolding}
                onClick={() => (count === 0 ? announce(words.holdNone) : void submit(selected))}
              >
                {isHolding ? words.holding : count === 0 ? words.holdNone : words.hold(count)}
              </button>
            </div>
          </div>
        </div>
      )}
    </section>
  )
}

/** What a seat costs, by zone, and how many are left of each. */
function Zones({ seats }: { seats: Seat[] }) {
  return (
    <ul class="zones">
      {pricesOf(seats).map((price, zone) => (
        <li key={price} class={`zone-${Math.min(zone, 3)}`}>
          <i aria-hidden="true" />
          <b>{format.won(price)}</b>
          <span class="quiet">
            {t.value.map.zoneLeft(
              seats.filter((seat) => seat.price === price && seat.state === 'available').length,
            )}
          </span>
        </li>
      ))}
    </ul>
  )
}
