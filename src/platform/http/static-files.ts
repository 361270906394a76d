import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'

export type StaticFiles = {
  /**
   * Holds `index.html`, which draws every page; `pages.json`, the addresses of those pages; `assets/` with hashed,
   * precompressed files; and others that are served as they are.
   */
  folder: string
  /** What the pages must know of the service, given to them as `<meta name="settings">`. */
  settings: Record<string, unknown>
}

/** Scripts and styles are ours and in files; nothing is inline, nothing comes from elsewhere, nobody frames it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "worker-src 'self'",
  'trusted-types worker',
].join('; ')

const headers = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
}

/** A link may arrive with anything behind its question mark; what follows a campaign is not ours to refuse. */
const anyQuery = Type.Object({}, { additionalProperties: true })

const escapes: Record<string, string> = { '&': '&amp;', '"': '&quot;', '<': '&lt;' }

function withSettings(html: string, settings: Record<string, unknown>): string {
  const content = JSON.stringify(settings).replaceAll(/[&"<]/g, (character) => escapes[character] ?? '')
  return html.replace('</head>', `<meta name="settings" content="${content}"></head>`)
}

/** Serves a built set of pages. False when there is none: whatever else is served goes on without. */
export async function serveStaticFiles(
  app: FastifyInstance,
  { folder, settings }: StaticFiles,
): Promise<boolean> {
  const [html, list] = await Promise.all(
    ['index.html', 'pages.json'].map((name) => readFile(join(folder, name), 'utf8').catch(() => undefined)),
  )
  if (html === undefined || list === undefined) return false
  const pages = JSON.parse(list) as string[]
  const plain = Buffer.from(withSettings(html, settings))
  const encodings = new Map([
    ['br', await promisify(brotliCompress)(plain)],
    ['gzip', await promisify(gzip)(plain)],
  ])
  const etag = `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`

  async function answerPage(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    reply.headers({ 'cache-control': 'no-cache', etag, vary: 'accept-encoding' })
    if (request.headers['if-none-match'] === etag) return reply.code(304).send()
    reply.type('text/html; charset=utf-8')
    const accepted = new Set((request.headers['accept-encoding'] ?? '').split(/\s*,\s*/))
    for (const [encoding, body] of encodings) {
      if (accepted.has(encoding)) return reply.header('content-encoding', encoding).send(body)
    }
    return reply.send(plain)
  }

  await app.register(async (scope) => {
    scope.addHook('onRequest', async (_request, reply) => {
      reply.headers(headers)
    })
    const schema = { hide: true, querystring: anyQuery }
    for (const url of pages) scope.get(url, { schema }, answerPage)
    // A person who mistyped an address is told so by a page; a program by the service's own refusal.
    scope.get('/*', { schema }, (request, reply) => {
      const isPerson = request.headers.accept?.includes('text/html') && !request.url.startsWith('/v1/')
      if (isPerson) return answerPage(request, reply.code(404))
      reply.callNotFound()
      return reply
    })
    scope.addHook('onRoute', (route) => {
      route.schema = { ...route.schema, hide: true }
    })
    await scope.register(fastifyStatic, {
      root: folder,
      // One route per file: any other address is the service's to refuse.
      wildcard: false,
      index: false,
      decorateReply: false,
      preCompressed: true,
      globIgnore: ['index.html', 'pages.json', '**/*.br', '**/*.gz'],
      cacheControl: false,
      setHeaders: (reply, file) => {
        const isHashed = /[\\/]assets[\\/]/.test(file)
        reply.header(
          'cache-control',
          isHashed ? 'public, max-age=31536000, immutable' : 'public, max-age=3600',
        )
      },
    })
  })
  return true
}
