import { useState } from 'preact/hooks'
import { call } from '../api/client.ts'
import { ConcertCard } from '../components/concert-card.tsx'
import { Icon } from '../components/icon.tsx'
import { Empty, Failed, Loading, PageTitle } from '../components/page.tsx'
import { useLoaded } from '../components/use-loaded.ts'
import { t } from '../i18n/index.ts'
import type { Concert } from '../state/concerts.ts'

/** What can be bought now comes first. */
const order: Concert['status'][] = ['on-sale', 'upcoming', 'sold-out', 'closed']

/** With fewer concerts than this, looking is quicker than searching. */
const searchFrom = 6
const typingMs = 250

export function Concerts() {
  const words = t.value.concerts
  const [text, setText] = useState('')
  const [pages, setPages] = useState(1)
  const [typing, setTyping] = useState<ReturnType<typeof setTimeout>>()
  const { value, error, reload } = useLoaded(`${text} ${pages}`, async (signal) => {
    let cursor: string | undefined
    let more = true
    const concerts: Concert[] = []
    for (let page = 0; page < pages && more; page++) {
      const query = { ...(text ? { q: text } : {}), ...(cursor ? { cursor } : {}) }
      const answer = await call('listConcerts', { query, signal })
      concerts.push(...answer.concerts)
      cursor = answer.nextCursor ?? undefined
      more = cursor !== undefined
    }
    // Within a status the service's order stays: the sale that opened last comes first.
    concerts.sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status))
    return { concerts, more }
  })
  const [hasSearch, setHasSearch] = useState(false)
  if (value && !hasSearch && (value.concerts.length > searchFrom || value.more)) setHasSearch(true)

  return (
    <>
      <section class="hero">
        <PageTitle title={words.title}>{words.lead}</PageTitle>
        <p>{words.sub}</p>
      </section>
      {hasSearch && (
        <label class="search">
          <Icon name="search" />
          <span class="sr-only">{words.search}</span>
          <input
            type="search"
            placeholder={words.search}
            maxLength={100}
            onInput={({ currentTarget }) => {
              clearTimeout(typing)
              setTyping(setTimeout(() => setText(currentTarget.value.trim()), typingMs))
            }}
          />
        </label>
      )}
      {error !== undefined && !value && <Failed error={error} reload={reload} />}
      {!value && error === undefined && <Loading lines={4} />}
      {value && value.concerts.length > 0 && (
        <ul class="cards">
          {value.concerts.map((concert) => (
            <ConcertCard key={concert.concertId} concert={concert} />
          ))}
        </ul>
      )}
      {value?.more && (
        <div class="actions actions-middle">
          <button class="button" onClick={() => setPages(pages + 1)}>
            {words.more}
          </button>
        </div>
      )}
      {value && value.concerts.length === 0 && (
        <Empty
          icon="ticket"
          title={text ? words.noMatch(text) : words.none}
          text={text ? words.noMatchSub : words.noneSub}
        >
          {text && (
            <button class="button" onClick={() => location.reload()}>
              {words.showAll}
            </button>
          )}
        </Empty>
      )}
    </>
  )
}

/** Concerts that can be bought, for where another one cannot. */
export function OtherConcerts({ except }: { except: number }) {
  const { value } = useLoaded('others', (signal) => call('listConcerts', { query: { limit: 20 }, signal }))
  const others =
    value?.concerts.filter(({ concertId, status }) => concertId !== except && status === 'on-sale') ?? []
  if (others.length === 0) return null
  return (
    <section>
      <h2>{t.value.concerts.others}</h2>
      <ul class="cards">
        {others.slice(0, 4).map((concert) => (
          <ConcertCard key={concert.concertId} concert={concert} />
        ))}
      </ul>
    </section>
  )
}
