import { call } from '../api/client.ts'
import { setAccount } from './account.ts'
import { forgetHold } from './holds.ts'
import { forgetPlaces } from './places.ts'

/** Makes a fan with this name and signs them in. What another fan had here is not theirs. */
export async function signUp(name: string): Promise<void> {
  setAccount(await call('signUp', { body: { name } }))
  forgetPlaces()
  forgetHold()
}
