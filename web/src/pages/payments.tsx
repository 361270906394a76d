import { useEffect } from 'preact/hooks'
import { call } from '../api/client.ts'
import { Icon } from '../components/icon.tsx'
import { SignInOver } from '../components/inside.tsx'
import { Me, Nobody } from '../components/me.tsx'
import { Empty, Failed, Loading } from '../components/page.tsx'
import { usePages } from '../components/use-pages.ts'
import { format, t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'
import { account, isSignInOver } from '../state/account.ts'
import { readBalance } from '../state/balance.ts'

export function Payments() {
  if (isSignInOver.value) return <SignInOver />
  return <Me tab="payments">{account.value === null ? <Nobody /> : <List />}</Me>
}

function List() {
  const words = t.value.me
  const { value, error, reload, hasMore, more } = usePages(
    account.value?.userId ?? '',
    async (cursor, signal) => {
      const query = cursor === undefined ? {} : { cursor }
      const { payments, nextCursor } = await call('listPayments', { query, signal })
      return { items: payments, nextCursor }
    },
  )
  useEffect(() => {
    // Shown beside the tab only; its own page says when it cannot be read.
    readBalance().catch(() => {})
  }, [])
  if (!value) return error === undefined ? <Loading lines={4} /> : <Failed error={error} reload={reload} />
  if (value.length === 0) return <Empty icon="wallet" title={words.noPayments} text={words.noPaymentsSub} />
  return (
    <>
      <ul class="list">
        {value.map(({ paymentId, reservationId, seats, amount, balance, paidAt }) => (
          <li key={paymentId} class="row">
            <a href={urlTo('reservation', { reservationId })}>
              <span class="row-text">
                <strong>{format.won(amount)}</strong>
                <span>{format.seats(seats.map(({ number }) => number))}</span>
                <span class="quiet">
                  {format.long(paidAt)} · {words.balanceAfter(format.won(balance))}
                </span>
              </span>
              <span class="row-end">
                <span class="chip chip-paid">{words.ticket}</span>
              </span>
              <Icon name="arrow" />
            </a>
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
    </>
  )
}
