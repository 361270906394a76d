import { useEffect } from 'preact/hooks'
import { call } from '../api/client.ts'
import { ChargeForm } from '../components/charge-form.tsx'
import { SignInOver } from '../components/inside.tsx'
import { Me, Nobody } from '../components/me.tsx'
import { Empty, Failed, Loading } from '../components/page.tsx'
import { usePages } from '../components/use-pages.ts'
import { format, t } from '../i18n/index.ts'
import { account, isSignInOver, requireUserId } from '../state/account.ts'
import { balance, readBalance } from '../state/balance.ts'

export function Balance() {
  if (isSignInOver.value) return <SignInOver />
  return <Me tab="balance">{account.value === null ? <Nobody /> : <Entries />}</Me>
}

function Entries() {
  const words = t.value.me
  const { value, error, reload, hasMore, more } = usePages(
    account.value?.userId ?? '',
    async (cursor, signal) => {
      const query = cursor === undefined ? {} : { cursor }
      const params = { userId: requireUserId() }
      const { entries, nextCursor } = await call('listEntries', { params, query, signal })
      return { items: entries, nextCursor }
    },
  )
  useEffect(() => {
    // The last entry says the same; this only comes first.
    readBalance().catch(() => {})
  }, [])
  return (
    <div class="balance-columns">
      <div>
        <p class="balance">
          <span>{words.balance}</span>
          <b>{balance.value === undefined ? '…' : format.won(balance.value)}</b>
        </p>
        <ChargeForm onCharged={reload} />
      </div>
      <div>
        {!value && (error === undefined ? <Loading lines={4} /> : <Failed error={error} reload={reload} />)}
        {value?.length === 0 && <Empty icon="wallet" title={words.noEntries} text={words.noEntriesSub} />}
        <ul class="list entries">
          {value?.map(({ entryId, kind, amount, balance: after, createdAt }) => (
            <li key={entryId} class="entry">
              <span>
                <strong>{words.entry[kind]}</strong>
                <span class="quiet">{format.long(createdAt)}</span>
              </span>
              <span class={amount < 0 ? 'amount' : 'amount amount-in'}>
                <b>
                  {amount < 0 ? '−' : '+'}
                  {format.won(Math.abs(amount))}
                </b>
                <span class="quiet">{words.balanceAfter(format.won(after))}</span>
              </span>
            </li>
          ))}
        </ul>
        {hasMore && (
          <div class="actions actions-middle">
            <button class="button" onClick={more}>
              {words.more}
            </button>
          </div>
        )}
      </div>
    </div>
  )
}
