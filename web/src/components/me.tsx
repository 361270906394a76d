import type { ComponentChildren } from 'preact'
import { format, t } from '../i18n/index.ts'
import { pages, urlTo } from '../routes.ts'
import { account } from '../state/account.ts'
import { balance } from '../state/balance.ts'
import { Empty, PageTitle } from './page.tsx'

type Tab = 'reservations' | 'payments' | 'balance'
const tabs: Tab[] = ['reservations', 'payments', 'balance']

/** What is around the fan's own pages. */
export function Me({ tab, children }: { tab: Tab; children: ComponentChildren }) {
  const words = t.value.me
  return (
    <section class="me">
      <PageTitle title={`${words.tabs[tab]} · ${words.title}`}>
        {account.value && <span class="overline">{words.hello(account.value.name)}</span>}
        {words.title}
      </PageTitle>
      <nav class="tabs" aria-label={words.title}>
        {tabs.map((name) => (
          <a key={name} href={pages[name]} aria-current={name === tab ? 'page' : undefined}>
            {words.tabs[name]}
            {name === 'balance' && balance.value !== undefined && <b>{format.won(balance.value)}</b>}
          </a>
        ))}
      </nav>
      {children}
    </section>
  )
}

/** Nobody has bought anything here yet. */
export function Nobody() {
  const words = t.value.me
  return (
    <Empty icon="ticket" title={words.anonymous} text={words.anonymousSub}>
      <a class="button button-main" href={urlTo('concerts')}>
        {words.find}
      </a>
    </Empty>
  )
}
