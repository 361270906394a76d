import { call, type Answer } from '../api/client.ts'
import { Icon } from '../components/icon.tsx'
import { Inside, SessionTime } from '../components/inside.tsx'
import { Notice } from '../components/notice.tsx'
import { Empty, Failed, Loading, PageTitle } from '../components/page.tsx'
import { Steps } from '../components/steps.tsx'
import { useLoaded } from '../components/use-loaded.ts'
import { format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { placeOf } from '../state/places.ts'

/** Seats left are counted anew this often while the dates are looked at. */
const lookMs = 5_000

type Show = Answer<'listShows'>['shows'][number]

export function Shows({ concertId }: { concertId: number }) {
  return (
    <Inside concertId={concertId}>
      <Dates concertId={concertId} />
    </Inside>
  )
}

function Dates({ concertId }: { concertId: number }) {
  const words = t.value.shows
  const place = placeOf(concertId)
  const { value, error, reload } = useLoaded(
    `${concertId}`,
    (signal) => call('listShows', { params: { concertId }, place: place?.token, signal }),
    lookMs,
  )
  return (
    <section>
      <Steps at={1} />
      <div class="page-head">
        <PageTitle title={words.title}>
          <span class="overline">{place?.title}</span>
          {words.title}
        </PageTitle>
        <SessionTime concertId={concertId} />
      </div>
      {value && value.shows.every(({ seatsLeft }) => seatsLeft === 0) ? (
        <Notice kind="warn" title={words.allFull}>
          {words.allFullText}
        </Notice>
      ) : (
        <p class="lead">{words.sub}</p>
      )}
      {error !== undefined && !value && <Failed error={error} reload={reload} />}
      {!value && error === undefined && <Loading lines={4} />}
      {value?.shows.length === 0 && <Empty icon="ticket" title={words.none} />}
      <ul class="dates">
        {value?.shows.map((show) => (
          <Date key={show.showId} concertId={concertId} show={show} />
        ))}
      </ul>
    </section>
  )
}

function Date({ concertId, show }: { concertId: number; show: Show }) {
  const words = t.value.shows
  const { showId, startsAt, seatsLeft, seatsTotal, priceFrom, priceTo } = show
  return (
    <li class={seatsLeft === 0 ? 'date date-full' : 'date'}>
      <a href={urlTo('seats', { concertId, showId })}>
        <span class="date-leaf" aria-hidden="true">
          <span>{format.month(startsAt)}</span>
          <b>{format.dayNumber(startsAt)}</b>
          <span>{format.weekday(startsAt)}</span>
        </span>
        <span class="date-text">
          <strong>{format.long(startsAt)}</strong>
          <span class="quiet">{format.priceRange(priceFrom, priceTo)}</span>
          <span class="meter" aria-hidden="true" style={{ '--part': `${(seatsLeft / seatsTotal) * 100}%` }} />
          <span>
            {seatsLeft === 0 ? words.full : words.of(format.number(seatsLeft), format.number(seatsTotal))}
          </span>
        </span>
        <Icon name="arrow" />
      </a>
    </li>
  )
}
