type TrustedTypes = {
  createPolicy: (
    name: string,
    rules: { createScriptURL: () => string },
  ) => { createScriptURL: (url: string) => string }
}

const workerUrl = '/offline-worker.js'

/** Lets a worker keep the pages for when there is no network. Browsers allow it on HTTPS and on this machine only. */
export function keepOffline(): void {
  if (!('serviceWorker' in navigator)) return
  // The page's policy lets this one script be named by code, and no other.
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  const policy = trustedTypes?.createPolicy('worker', { createScriptURL: () => workerUrl })
  // Without it everything works but a reload without a network.
  navigator.serviceWorker.register(policy?.createScriptURL('') ?? workerUrl).catch(() => {})
}
