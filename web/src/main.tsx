import { signal } from '@preact/signals'
import { Component, render, type ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { Empty, Loading, PageTitle } from './components/page.tsx'
import { Shell } from './components/shell.tsx'
import { isReady, t } from './i18n/index.ts'
import { Concert } from './pages/concert.tsx'
import { Concerts } from './pages/concerts.tsx'
import { NotFound } from './pages/not-found.tsx'
import { keepOffline } from './state/keep-offline.ts'
import { findHold } from './state/holds.ts'
import { page } from './state/location.ts'

/** The first page has the network for itself for this long. */
const prefetchMs = 1_500

/** Pages that a fan comes to later: fetched while the first one is read, so that a lost network finds them here. */
function later<Module>(load: () => Promise<Module>) {
  const module = signal<Module | undefined>(undefined)
  const fault = signal<unknown>(undefined)
  let isAsked = false
  return () => {
    if (!isAsked) {
      isAsked = true
      load().then(
        (loaded) => (module.value = loaded),
        (error: unknown) => {
          isAsked = false
          fault.value = error
        },
      )
    }
    if (!module.value && fault.value) throw fault.value
    return module.value
  }
}

const purchase = later(() => import('./pages/purchase.ts'))
const me = later(() => import('./pages/me.ts'))

function Page() {
  const current = page.value
  if (!current) return <NotFound />
  const { name, params } = current
  const id = (param: string) => Number(params[param])
  // A key per address: another concert is another page, not the same one with new contents.
  const key = Object.values(params).join('/')
  if (name === 'concerts') return <Concerts />
  if (name === 'concert') return <Concert key={key} concertId={id('concertId')} />
  if (name === 'reservations' || name === 'payments' || name === 'balance') {
    const pages = me()
    if (!pages) return <Loading />
    switch (name) {
      case 'reservations':
        return <pages.Reservations />
      case 'payments':
        return <pages.Payments />
      case 'balance':
        return <pages.Balance />
    }
  }
  const pages = purchase()
  if (!pages) return <Loading />
  switch (name) {
    case 'line':
      return <pages.WaitingRoom key={key} concertId={id('concertId')} />
    case 'shows':
      return <pages.Shows key={key} concertId={id('concertId')} />
    case 'seats':
      return <pages.Seats key={key} concertId={id('concertId')} showId={id('showId')} />
    case 'reservation':
      return <pages.Reservation key={key} reservationId={params['reservationId'] ?? ''} />
  }
}

/** A fault of a page must not leave a blank one. */
class Guarded extends Component<{ children: ComponentChildren }, { isBroken: boolean }> {
  override state = { isBroken: false }

  override componentDidCatch(): void {
    this.setState({ isBroken: true })
  }

  render() {
    if (!this.state.isBroken) return this.props.children
    const { broken } = t.value
    return (
      <>
        <PageTitle isHidden>{broken.title}</PageTitle>
        <Empty icon="alert" title={broken.title} text={broken.text}>
          <button class="button button-main" onClick={() => location.reload()}>
            {broken.reload}
          </button>
        </Empty>
      </>
    )
  }
}

function App() {
  useEffect(() => {
    // Only a convenience: the hold is found again on the page of reservations.
    findHold().catch(() => {})
    setTimeout(() => {
      purchase()
      me()
      keepOffline()
    }, prefetchMs)
  }, [])
  return (
    <Shell>
      <Guarded key={page.value?.name}>
        <Page />
      </Guarded>
    </Shell>
  )
}

const root = document.querySelector('#app')
if (root) {
  await isReady
  render(<App />, root)
}
