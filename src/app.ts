import { join } from 'node:path'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import { chargeBalance } from './balance/charge-balance.ts'
import { listEntries, readBalance } from './balance/read-balance.ts'
import { balanceRoutes } from './balance/routes.ts'
import { listConcerts, readConcert } from './concerts/read-concerts.ts'
import { countSeatsLeft, readFacts, readRunningSales } from './concerts/read-facts.ts'
import { concertOfShow, readSeats, readShows } from './concerts/read-shows.ts'
import { concertRoutes } from './concerts/routes.ts'
import { seatStreams } from './concerts/stream-seats.ts'
import type { Config } from './config.ts'
import type { Consumer } from './events/bus.ts'
import { listDeadLetters, replayDeadLetter } from './events/dead-letters.ts'
import { forgetEvents } from './events/forget-events.ts'
import { inProcessBus } from './events/in-process-bus.ts'
import { startRelay } from './events/relay.ts'
import { limits } from './limits.ts'
import { docsPolicy, markOptionalBodies, openapi } from './openapi.ts'
import { changeQueue } from './operator/change-queue.ts'
import { checkInvariants } from './operator/check-invariants.ts'
import { countSales, readSales } from './operator/count-sales.ts'
import { createConcert } from './operator/create-concert.ts'
import { announceOpenSales } from './operator/open-sales.ts'
import { operatorOnly } from './operator/operator-only.ts'
import { operatorRoutes } from './operator/routes.ts'
import { payReservation, type PayOutcome, type PayRequest } from './payments/pay-reservation.ts'
import { listPayments, readPayment } from './payments/read-payments.ts'
import { paymentRoutes } from './payments/routes.ts'
import { batch } from './platform/batch.ts'
import { httpProblem } from './platform/http/problem.ts'
import { createServer } from './platform/http/server.ts'
import { serveStaticFiles } from './platform/http/static-files.ts'
import { findFirstOutcome, forgetIdempotencyKeys } from './platform/idempotency.ts'
import { startLoop } from './platform/loop.ts'
import { isRetryable, isUnavailable, type Database } from './platform/postgres/database.ts'
import { share } from './platform/share.ts'
import { openMetrics } from './platform/telemetry/metrics.ts'
import { followEvents } from './queue/follow-events.ts'
import { guard, readOwnQueueToken, readQueueToken, refuseOutside } from './queue/guard.ts'
import { inSession, type Outside } from './queue/in-session.ts'
import { joinQueue } from './queue/join-queue.ts'
import { postgresQueueStore } from './queue/postgres-queue-store.ts'
import type { Place } from './queue/queue.ts'
import type { Ending, JoinRequest } from './queue/queue-store.ts'
import { queueTokens } from './queue/queue-token.ts'
import { readPlace } from './queue/read-place.ts'
import { queueRoutes } from './queue/routes.ts'
import { runAdmission } from './queue/run-admission.ts'
import { placeStreams } from './queue/stream-place.ts'
import { watchLines } from './queue/watch-lines.ts'
import { cancelHold } from './reservations/cancel-hold.ts'
import { expireHolds } from './reservations/expire-holds.ts'
import { holdSeats, type HoldOutcome, type HoldRequest } from './reservations/hold-seats.ts'
import { countSeatsOf, listReservations, readReservation } from './reservations/read-reservations.ts'
import { reservationRoutes } from './reservations/routes.ts'
import { serviceRoutes } from './service-routes.ts'
import { accessTokens } from './users/access-token.ts'
import { authenticate } from './users/authenticate.ts'
import { outsideIdentity } from './users/outside-identity.ts'
import { userRoutes } from './users/routes.ts'
import { signUp } from './users/sign-up.ts'

export type AppOptions = {
  config: Config & { tokenSecret: string; operatorToken: string }
  database: Database
  log: FastifyBaseLogger
  /** Consumers besides the service's own. */
  consumers?: Consumer[]
}

export type App = {
  http: FastifyInstance
  /** Ends streams and background work, finishes requests in flight, and closes what the app opened. */
  close: () => Promise<void>
}

/** Where `npm install` puts the built pages. */
const pagesFolder = join(import.meta.dirname, '..', 'web', 'dist')
/** How often holds past their deadline become history, and old rows are forgotten. */
const sweepMs = 1_000
const forgetMs = 60_000
/** What is the same for everyone may be a second old, as its Cache-Control says. */
const publicAgeMs = 1_000

/** Puts the service together: the only place that knows every part. Nothing listens yet. */
export async function buildApp({ config, database, log, consumers: others = [] }: AppOptions): Promise<App> {
  const stopping = new AbortController()
  const { signal } = stopping
  const metrics = openMetrics()
  const failed = (what: string) => (error: unknown, failures: number) =>
    log.warn({ err: error, failures }, `${what} failed, will go on`)

  // Who calls.
  const tokens = accessTokens(config.tokenSecret, config.accessTokenSeconds)
  const outside = config.oidc && outsideIdentity(config.oidc, database)
  const verifyCaller = authenticate(tokens, outside)

  // The line.
  const store = postgresQueueStore(database, config)
  const grouped = { max: limits.batch, maxQueued: limits.batchQueue, isRetryable, isUnavailable }
  const join = batch({
    run: store.join.bind(store),
    lane: (request: JoinRequest) => `${request.concertId}:${request.userId}`,
    onRun: metrics.batchSize('join'),
    ...grouped,
  })
  const touch = batch({ run: store.touch, onRun: metrics.batchSize('touch'), ...grouped })
  const endPlace = batch({
    run: async (endings: Ending[]) => {
      await store.end(endings)
      return endings.map(() => undefined)
    },
    onRun: metrics.batchSize('end'),
    ...grouped,
  })
  const facts = readFacts(database, config)
  const watch = watchLines({
    store,
    readFacts: facts,
    countSeatsLeft: (concertIds) => countSeatsLeft(database, concertIds),
    signal,
    onError: failed('looking at the lines'),
  })
  const places = queueTokens(config.tokenSecret)
  const readStatus = readPlace(watch, touch)
  const streams = placeStreams(watch, readStatus, (error) =>
    log.warn({ err: error }, 'a stream was not updated'),
  )
  const refuse = refuseOutside(watch)
  const admitted = guard(refuse, touch)
  const sessions = {
    touch: store.touch,
    placeOf: ({ concertId, userId, queueNumber }: HoldRequest | PayRequest): Place => ({
      concertId,
      userId,
      number: queueNumber,
    }),
    onFollowFailed: (error: unknown) =>
      log.warn({ err: error }, 'sessions were not changed with their requests; their events will do it'),
  }
  const hold = holdSeats<Outside>(database, { ...config, onRun: metrics.batchSize('hold') }, (settle) =>
    inSession({
      ...sessions,
      settle,
      async follow(settled) {
        const extensions = settled.flatMap(({ session, outcome }) => {
          if (outcome.code !== 'held') return []
          const until = new Date(outcome.answer.heldUntil)
          return until > session.activeUntil ? [{ ...session, until }] : []
        })
        if (extensions.length > 0) await store.extend(extensions)
      },
    }),
  )
  const pay = payReservation<Outside>(database, metrics.batchSize('pay'), (settle) =>
    inSession({
      ...sessions,
      settle,
      async follow(settled) {
        // A replay must not end the session that the fan may have begun since.
        const paid = settled.filter(({ outcome }) => outcome.code === 'paid' && !outcome.isReplay)
        if (paid.length > 0) await store.end(paid.map(({ session }) => ({ ...session, reason: 'completed' })))
      },
    }),
  )
  const seats = readSeats(database)
  const seatMaps = seatStreams({ readSeats: seats, signal, onError: failed('reading seat maps') })

  // What others hear of.
  const consumers: Consumer[] = [followEvents(store), countSales, ...others]
  const bus = inProcessBus(database, consumers, {
    signal,
    onRetry: (consumer, event, error) =>
      log.warn(
        { err: error, consumer, event: event.id, type: event.type },
        'a consumer failed, will try again',
      ),
    onDeadLetter: (consumer, event, error) =>
      log.error(
        { err: error, consumer, event: event.id, type: event.type },
        'an event was put aside as a dead letter',
      ),
  })
  const published = metrics.counter('events_published_total', 'Events that the relay has published')
  const relay = startRelay({
    database,
    bus,
    signal,
    onPublished: (count) => published.inc(count),
    onError: failed('relaying events'),
  })

  // Work in the background.
  const admission = runAdmission({
    store,
    readRunningSales: () => readRunningSales(database, config),
    watch,
    signal,
    onError: failed('admission'),
  })
  const sweeper = startLoop({
    restMs: sweepMs,
    signal,
    onError: failed('expiring holds'),
    work: async () => {
      await announceOpenSales(database)
      return expireHolds(database)
    },
  })
  const forgetter = startLoop({
    restMs: forgetMs,
    signal,
    onError: failed('forgetting old rows'),
    work: async () => {
      const keys = await forgetIdempotencyKeys(database, limits.idempotencyHours, limits.batch)
      return (await forgetEvents(database, limits.eventHours, limits.batch)) || keys
    },
  })

  // What answers.
  const http = createServer({
    log,
    bodyBytes: limits.bodyBytes,
    // Who lost every race has found the service too busy, not broken.
    isUnavailable: (error) => isUnavailable(error) || isRetryable(error),
  })
  http.decorateRequest('userId', '')
  http.decorateRequest('place', null)
  metrics.observeRequests(http)
  metrics.gauge('open_streams', 'Event streams that are open', () => streams.count() + seatMaps.count())
  http.addHook('onResponse', (request, reply, done) => {
    if (request.method !== 'GET' && reply.statusCode < 300) relay.wake()
    done()
  })
  await http.register(swagger, { openapi, hideUntagged: true, transformObject: markOptionalBodies })
  await http.register(swaggerUi, { routePrefix: '/docs', staticCSP: docsPolicy })
  await http.register(rateLimit, {
    global: false,
    timeWindow: 10_000,
    cache: 200_000,
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    errorResponseBuilder: (_request, { ttl }) =>
      httpProblem('too-many-requests', undefined, Math.max(1, Math.ceil(ttl / 1000))),
  })
  const unlimited = async () => {}
  const limitUser = config.rateLimits
    ? http.rateLimit({
        max: limits.requestsPerUser,
        keyGenerator: (request: FastifyRequest) => request.userId,
      })
    : unlimited
  const limitAddress = config.rateLimits ? http.rateLimit({ max: limits.signUpsPerAddress }) : unlimited
  const signedIn = [verifyCaller, limitUser]
  const withPlace = readQueueToken(places)
  const withOwnPlace = readOwnQueueToken(places)
  const findConcertOfShow = concertOfShow(database)
  const shareList = share<Awaited<ReturnType<typeof listConcerts>>>(publicAgeMs)
  const shareConcert = share<Awaited<ReturnType<typeof readConcert>>>(publicAgeMs)

  userRoutes(http, {
    signUp: signUp(database),
    tokens,
    signUpAllowed: config.signUp,
    limitByAddress: limitAddress,
  })
  concertRoutes(http, {
    signedIn,
    withOwnPlace,
    guard: admitted,
    list: (filter, after, limit) =>
      shareList(JSON.stringify([filter, after, limit]), () => listConcerts(database, filter, after, limit)),
    read: (concertId) => shareConcert(`${concertId}`, () => readConcert(database, concertId)),
    readShows: readShows(database),
    concertOfShow: findConcertOfShow,
    readSeats: seats,
    seatStreams: seatMaps,
  })
  queueRoutes(http, {
    signedIn,
    withPlace,
    joinQueue: joinQueue({ readFacts: facts, join, tokens: places, watch }),
    readPlace: readStatus,
    endPlace,
    watch,
    streams,
  })
  reservationRoutes(http, {
    signedIn,
    withOwnPlace,
    guard: admitted,
    concertOfShow: findConcertOfShow,
    seatsPerReservationMax: config.seatsPerReservationMax,
    countSeatsOf: (userId, showId) => countSeatsOf(database, userId, showId),
    refuseOutside: refuse,
    holdSeats: hold,
    findFirstHold: (userId, key) => findFirstOutcome<HoldOutcome>(database, userId, key),
    cancelHold: cancelHold(database),
    list: (userId, before, limit) => listReservations(database, userId, before, limit),
    read: (userId, reservationId) => readReservation(database, userId, reservationId),
  })
  balanceRoutes(http, {
    signedIn,
    chargeMax: config.chargeMax,
    chargeBalance: chargeBalance(database, metrics.batchSize('charge')),
    read: (userId) => readBalance(database, userId),
    listEntries: (userId, before, limit) => listEntries(database, userId, before, limit),
  })
  paymentRoutes(http, {
    signedIn,
    withOwnPlace,
    refuseOutside: refuse,
    payReservation: pay,
    findFirstPayment: (userId, key) => findFirstOutcome<PayOutcome>(database, userId, key),
    list: (userId, before, limit) => listPayments(database, userId, before, limit),
    read: (userId, paymentId) => readPayment(database, userId, paymentId),
  })
  operatorRoutes(http, {
    operatorOnly: operatorOnly(config.operatorToken, verifyCaller),
    createConcert: (concert) => createConcert(database, concert),
    readConcert: (concertId) => readConcert(database, concertId),
    changeQueue: (concertId, change) => changeQueue(database, concertId, change),
    readSales: (concertId) => readSales(database, concertId),
    checkInvariants: () => checkInvariants(database),
    listDeadLetters: (after, limit) => listDeadLetters(database, after, limit),
    replayDeadLetter: (deadLetterId) => replayDeadLetter(database, consumers, deadLetterId),
  })
  const hasPages = await serveStaticFiles(http, {
    folder: pagesFolder,
    settings: {
      seatsMax: Math.min(config.seatsPerReservationMax, config.seatsPerUserMax),
      chargeMax: config.chargeMax,
      claimSeconds: config.claimSeconds,
      signUp: config.signUp,
    },
  })
  serviceRoutes(http, {
    hasPages,
    database,
    metrics: () => metrics.registry.metrics(),
    isStopping: () => signal.aborted,
  })
  await http.ready()

  return {
    http,
    async close() {
      stopping.abort()
      streams.close()
      seatMaps.close()
      await http.close()
      await Promise.all([
        watch.loop.done,
        seatMaps.loop.done,
        admission.done,
        sweeper.done,
        forgetter.done,
        relay.done,
      ])
    },
  }
}
