import { call } from '../api/client.ts'
import { setAccount } from './account.ts'

/** Makes a fan with this name and signs them in. */
export async function signUp(name: string): Promise<void> {
  setAccount(await call('signUp', { body: { name } }))
}
