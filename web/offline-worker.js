// Keeps the pages themselves, so that a ticket opens at the door and a place in line reloads without a network.
// The build puts the list of files and its hash in here; a new build is a new worker, and takes over when the last
// page of the old one is closed.
/* global FILES, VERSION */

const cacheName = `frontrow-${VERSION}`

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(['/', ...FILES])))
})

self.addEventListener('activate', (event) => {
  async function dropOthers() {
    const names = await caches.keys()
    await Promise.all(names.filter((name) => name !== cacheName).map((name) => caches.delete(name)))
    await self.clients.claim()
  }
  event.waitUntil(dropOthers())
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { pathname, origin } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (pathname.startsWith('/assets/')) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)))
  } else if (request.mode === 'navigate') {
    // The network first: what is kept is for when there is none.
    event.respondWith(fetch(request).catch(async () => (await caches.match('/')) ?? Response.error()))
  }
})
