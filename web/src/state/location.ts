import { computed, signal } from '@preact/signals'
import { matchPage } from '../routes.ts'

const path = signal(location.pathname)

/** The page that the address asks for; undefined when there is none there. */
export const page = computed(() => matchPage(path.value))

function goTo(url: string, change: 'pushState' | 'replaceState'): void {
  if (url === location.pathname) return
  history[change](null, '', url)
  path.value = location.pathname
  scrollTo({ top: 0, behavior: 'instant' })
}

export function open(url: string): void {
  goTo(url, 'pushState')
}

/** Opens a page in place of this one: the back button does not lead here again. */
export function openInstead(url: string): void {
  goTo(url, 'replaceState')
}

addEventListener('popstate', () => {
  path.value = location.pathname
})

/** Plain links stay plain links: this opens those within the pages without loading them anew. */
document.addEventListener('click', (event) => {
  if (event.defaultPrevented || event.button !== 0) return
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (!link || link.target || link.origin !== location.origin || !matchPage(link.pathname)) return
  event.preventDefault()
  open(link.pathname)
})
