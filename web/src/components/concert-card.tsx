import { format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import type { Concert } from '../state/concerts.ts'
import { Poster } from './poster.tsx'

export function StatusChip({ status }: { status: Concert['status'] }) {
  return <span class={`chip chip-${status}`}>{t.value.status[status]}</span>
}

/** A concert in a list: its poster, and what decides whether to go. */
export function ConcertCard({ concert }: { concert: Concert }) {
  const { concertId, title, artist, venue, status, saleOpensAt, seatsLeft, priceFrom } = concert
  return (
    <li class={`card card-${status}`}>
      <a href={urlTo('concert', { concertId })}>
        <span class="card-poster">
          <Poster concert={concert} />
          <StatusChip status={status} />
        </span>
        <h2>{title}</h2>
        <p>{artist}</p>
        <p class="quiet">{venue}</p>
        <p class="card-facts">
          {status === 'upcoming' && t.value.concerts.opensOn(format.day(saleOpensAt))}
          {status === 'on-sale' && (
            <>
              <b>{t.value.fromPrice(format.won(priceFrom))}</b>
              <span class="quiet">
                {seatsLeft > 0 ? t.value.seatsLeft(format.number(seatsLeft)) : t.value.noSeatsLeft}
              </span>
            </>
          )}
        </p>
      </a>
    </li>
  )
}
