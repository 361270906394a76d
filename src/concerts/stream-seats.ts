import type { ServerResponse } from 'node:http'
import { startLoop, type Loop } from '../platform/loop.ts'
import type { SeatState } from './concert.ts'
import type { SeatMap } from './read-shows.ts'

/** How often the maps that somebody looks at are read: a fan sees a seat go within this and a little. */
const refreshMs = 250
/** Proxies close silent connections after a minute or so. */
const heartbeatMs = 15_000
/** Where a client should try again when its stream ends. */
const reconnectMs = 2_000

export type SeatStreams = {
  /**
   * Reads the map of a show and gives what sends it, and what changes of it from then on, until the session ends or
   * the client goes.
   */
  open: (showId: number, until: Date) => Promise<(response: ServerResponse) => void>
  close: () => void
  count: () => number
  loop: Loop
}

type Stream = {
  response: ServerResponse
  /** What the client knows: of a client that is behind, the next message is the whole map. */
  etag: string
  sentAt: number
  until: number
}

type Watched = { map: SeatMap; seats: Seat[]; streams: Set<Stream> }
type Seat = { number: number; price: number; state: SeatState }

export type SeatStreamOptions = {
  readSeats: (showId: number) => Promise<SeatMap>
  signal: AbortSignal
  onError: (error: unknown, failures: number) => void
}

/**
 * Seat maps as server-sent events: `seats` with the whole map first, then `changes` with the seats whose state is
 * another. Each show is read once per refresh for everyone who looks at it, and not at all when nobody does.
 */
export function seatStreams({ readSeats, signal, onError }: SeatStreamOptions): SeatStreams {
  const shows = new Map<number, Watched>()

  function send(stream: Stream, name: string, data: string): void {
    stream.sentAt = Date.now()
    stream.response.write(`event: ${name}\ndata: ${data}\n\n`)
  }

  function update(stream: Stream, map: SeatMap, changes: { from: string; json: string }): void {
    // A client that does not read is not written to: its kernel buffer is full.
    if (stream.response.writableNeedDrain) return
    if (stream.etag !== map.etag) {
      if (stream.etag === changes.from) send(stream, 'changes', changes.json)
      else send(stream, 'seats', map.json)
      stream.etag = map.etag
    } else if (Date.now() - stream.sentAt > heartbeatMs) {
      stream.sentAt = Date.now()
      stream.response.write(': still here\n\n')
    }
  }

  async function refreshShow(showId: number, show: Watched): Promise<void> {
    const map = await readSeats(showId)
    const changes = { from: show.map.etag, json: '' }
    if (map.etag !== show.map.etag) {
      const before = show.seats
      show.seats = seatsOf(map)
      const changed = show.seats.filter((seat, index) => seat.state !== before[index]?.state)
      changes.json = JSON.stringify({ showId, seats: changed })
      show.map = map
    }
    for (const stream of show.streams) {
      if (Date.now() < stream.until) update(stream, map, changes)
      else stream.response.end()
    }
  }

  return {
    async open(showId, until) {
      const map = await readSeats(showId)
      return (response) => {
        const show = shows.get(showId) ?? { map, seats: seatsOf(map), streams: new Set() }
        shows.set(showId, show)
        const stream: Stream = { response, etag: '', sentAt: 0, until: until.getTime() }
        show.streams.add(stream)
        response.on('close', () => {
          show.streams.delete(stream)
          if (show.streams.size === 0 && shows.get(showId) === show) shows.delete(showId)
        })
        // A broken connection is closed next; there is nobody left to tell.
        response.on('error', () => {})
        response.writeHead(200, {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          // Kept alive after its end, it would be waited for when the service stops.
          connection: 'close',
          'x-accel-buffering': 'no',
        })
        response.write(`retry: ${reconnectMs}\n\n`)
        update(stream, show.map, { from: show.map.etag, json: '' })
      }
    },
    close() {
      for (const { streams } of shows.values()) for (const { response } of streams) response.end()
    },
    count: () => [...shows.values()].reduce((sum, { streams }) => sum + streams.size, 0),
    loop: startLoop({
      work: async () => {
        await Promise.all([...shows].map(([showId, show]) => refreshShow(showId, show)))
        return false
      },
      restMs: refreshMs,
      signal,
      onError,
    }),
  }
}

function seatsOf({ json }: SeatMap): Seat[] {
  return (JSON.parse(json) as { seats: Seat[] }).seats
}
