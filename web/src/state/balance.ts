import { signal } from '@preact/signals'
import { call, type Answer } from '../api/client.ts'
import { requireUserId } from './account.ts'
import { once, openIntents } from './intents.ts'

/** The fan's balance in won; undefined before it was read. */
export const balance = signal<number | undefined>(undefined)

export async function readBalance(): Promise<void> {
  const answer = await call('readBalance', { params: { userId: requireUserId() } })
  balance.value = answer.balance
}

export async function charge(amount: number, onWaiting?: () => void): Promise<Answer<'chargeBalance'>> {
  const answer = await once(
    `charge:${amount}`,
    'chargeBalance',
    { params: { userId: requireUserId() }, body: { amount } },
    onWaiting,
  )
  balance.value = answer.balance
  return answer
}

/** Amounts whose charge was sent before a reload and whose outcome is not known. */
export function openCharges(): number[] {
  return openIntents('charge:').map(([, { body }]) => (body as { amount: number }).amount)
}
