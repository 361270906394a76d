import { computed, signal } from '@preact/signals'
import { keep } from './storage.ts'

export type Account = { userId: string; name: string; accessToken: string; accessTokenExpiresAt: string }

const kept = keep<Account | null>('account', null)

/** Who buys; null before the first sign-up. */
export const account = computed(() => kept.signal.value)

/** The service no longer takes the token: what belongs to the fan stays, to be shown, until they sign in anew. */
export const isSignInOver = signal(false)

/** Signs in as this fan from now on. */
export function setAccount(next: Account): void {
  kept.set(next)
  isSignInOver.value = false
}

export function noteSignInOver(): void {
  isSignInOver.value = true
}

export function requireUserId(): string {
  const { userId } = account.value ?? {}
  if (userId === undefined) throw new Error('nobody is signed in')
  return userId
}
