import { randomUUIDv7 } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import Type from 'typebox'
import { httpProblem, Problem } from './problem.ts'
import { strictSerializer, strictValidator } from './strict-schema.ts'

export type ServerOptions = {
  log: FastifyBaseLogger
  bodyBytes: number
  /** Whether a failure means that a dependency is away, so that the caller should come back (503), not a bug (500). */
  isUnavailable: (error: unknown) => boolean
}

/** Clients are told to come back after this long when the service cannot serve them. */
const retryAfterSeconds = 2

/** While a dependency is away it says so this often: a line per request was 10 MB of stacks a second. */
const awayEveryMs = 1_000

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', problem.retryAfterSeconds)
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  return reply
    .code(problem.status)
    .type('application/problem+json; charset=utf-8')
    .header('cache-control', 'no-store')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problem.toJSON())
}

/** What the framework itself refuses, in the words of the table. */
function frameworkProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, statusCode } = error as Error & { code?: string; statusCode?: number }
  if (statusCode === 413) return httpProblem('payload-too-large')
  if (statusCode === 415) return httpProblem('unsupported-media-type')
  if (code?.startsWith('FST_') && statusCode !== undefined && statusCode < 500) {
    return httpProblem('invalid-request', { faults: [{ field: 'body', message: error.message }] })
  }
  if (statusCode === 400)
    return httpProblem('invalid-request', { faults: [{ field: 'body', message: 'is not JSON' }] })
  return undefined
}

/** What is not even HTTP reaches no route; it is refused in the same words. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const problem =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? httpProblem('headers-too-large')
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? httpProblem('request-timeout')
          : httpProblem('invalid-request', { faults: [{ field: 'request', message: 'is not HTTP' }] })
    const body = JSON.stringify(problem.toJSON())
    socket.write(
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
        `cache-control: no-store\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroySoon()
}

/**
 * A Fastify that is strict both ways (schemas refuse instead of coercing) and answers every failure as
 * `application/problem+json`. What it cannot explain is logged with its stack and answered with a trace id only.
 */
export function createServer({ log, bodyBytes, isUnavailable }: ServerOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUIDv7(),
    bodyLimit: bodyBytes,
    // Longer than the idle time of usual proxies, so that it is they who close.
    keepAliveTimeout: 72_000,
    requestTimeout: 30_000,
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseConnection,
    routerOptions: { maxParamLength: 200 },
    // A path that is no path never reaches a route, nor the error handler below.
    frameworkErrors: (_error, _request, reply) =>
      sendProblem(
        reply,
        httpProblem('invalid-request', { faults: [{ field: 'path', message: 'is not a valid path' }] }),
      ),
  })
  app.setValidatorCompiler(strictValidator)
  app.setSerializerCompiler(strictSerializer)

  app.removeAllContentTypeParsers()
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    // A body that may be empty may be left out although its type is announced.
    if (body === '') done(null, undefined)
    else void parseJson(request, body, done)
  })

  // A connection that is busy when the service begins to stop would be kept alive after its answer, and waited for.
  let isClosing = false
  app.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing) reply.header('connection', 'close')
    done(null, payload)
  })

  const noQuery = Type.Object({}, { additionalProperties: false })
  app.addHook('onRoute', (route) => {
    route.schema ??= {}
    route.schema.querystring ??= noQuery
  })

  let awaySaidAt = -awayEveryMs
  let awayUnsaid = 0
  app.setNotFoundHandler((_request: FastifyRequest, reply: FastifyReply) =>
    sendProblem(reply, httpProblem('route-not-found')),
  )
  app.setErrorHandler((error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const known = error instanceof Problem ? error : frameworkProblem(error)
    if (known) return sendProblem(reply, known)
    const trace = { traceId: request.id }
    if (isUnavailable(error)) {
      const now = performance.now()
      if (now - awaySaidAt >= awayEveryMs) {
        request.log.warn({ err: error, url: request.url, alsoRefused: awayUnsaid }, 'a dependency is away')
        awaySaidAt = now
        awayUnsaid = 0
      } else {
        awayUnsaid++
      }
      return sendProblem(reply, httpProblem('unavailable', trace, retryAfterSeconds))
    }
    request.log.error(
      { err: error, method: request.method, route: request.routeOptions.url },
      'request failed',
    )
    return sendProblem(reply, httpProblem('internal', trace))
  })
  return app
}
