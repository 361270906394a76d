type Settings = {
  /** Seats that one fan may hold of a show. */
  seatsMax: number
  /** Won that one charge may add. */
  chargeMax: number
  /** How long an admitted fan's place is kept for them to show up. */
  claimSeconds: number
  /** Whether fans sign up here, and not with an identity provider. */
  signUp: boolean
}

const given = document.querySelector<HTMLMetaElement>('meta[name=settings]')?.content

/** What the service told this page of itself. */
export const settings: Settings = {
  seatsMax: 4,
  chargeMax: 10_000_000,
  claimSeconds: 30,
  signUp: true,
  ...(given ? (JSON.parse(given) as Partial<Settings>) : {}),
}
