import type { ServerResponse } from 'node:http'
import type { Place, QueueStatus } from './queue.ts'
import type { LineWatch } from './watch-lines.ts'

/** Proxies close silent connections after a minute or so. */
const heartbeatMs = 15_000
/** Where a client should try again when its stream ends. */
const reconnectMs = 2_000

export type PlaceStreams = {
  /** Sends the state of `place` now and whenever it changes, until it has ended or the client goes. */
  open: (place: Place, response: ServerResponse) => Promise<void>
  /** Ends every stream with a hint to reconnect elsewhere. */
  close: () => void
  count: () => number
}

type Stream = {
  place: Place
  response: ServerResponse
  last: string
  dueAt: number
  isBusy: boolean
  sentAt: number
}

/**
 * Server-sent events of the same state that a poll gives. Everyone is looked after by one pass over the open streams
 * after each refresh of the lines; like polls, streams far back in the line are told less often.
 */
export function placeStreams(
  watch: LineWatch,
  readPlace: (place: Place) => Promise<QueueStatus>,
  onError: (error: unknown) => void,
): PlaceStreams {
  const streams = new Set<Stream>()
  let isClosed = false

  async function update(stream: Stream): Promise<void> {
    stream.isBusy = true
    try {
      const status = await readPlace(stream.place)
      // What a poll is told of its own timing is no news to a stream.
      const { pollAfterMs, ...state } = status
      const news = JSON.stringify(state)
      const now = Date.now()
      const isInside = status.status === 'active'
      stream.dueAt = now + (isInside ? 1_000 : Math.min(pollAfterMs / 4, heartbeatMs))
      if (news !== stream.last) {
        stream.last = news
        stream.sentAt = now
        stream.response.write(`event: queue\ndata: ${JSON.stringify(status)}\n\n`)
      } else if (now - stream.sentAt > heartbeatMs) {
        stream.sentAt = now
        stream.response.write(': still here\n\n')
      }
      if (status.status === 'ended') end(stream)
    } catch (error) {
      onError(error)
      stream.dueAt = Date.now() + reconnectMs
    } finally {
      stream.isBusy = false
    }
  }

  function end(stream: Stream): void {
    streams.delete(stream)
    stream.response.end()
  }

  function sendElsewhere(stream: Stream): void {
    stream.response.write(`event: reconnect\ndata: {}\n\n`)
    end(stream)
  }

  watch.onRefresh(() => {
    const now = Date.now()
    for (const stream of streams) {
      if (stream.isBusy || now < stream.dueAt) continue
      // A client that does not read is not written to: its kernel buffer is full.
      if (stream.response.writableNeedDrain) continue
      void update(stream)
    }
  })

  return {
    async open(place, response) {
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        // Kept alive after its end, it would be waited for when the service stops.
        connection: 'close',
        'x-accel-buffering': 'no',
      })
      response.write(`retry: ${reconnectMs}\n\n`)
      const stream: Stream = { place, response, last: '', dueAt: 0, isBusy: false, sentAt: 0 }
      streams.add(stream)
      response.on('close', () => streams.delete(stream))
      // A broken connection is closed next; there is nobody left to tell.
      response.on('error', () => streams.delete(stream))
      // A request that was on its way when the service began to stop would keep it from stopping.
      if (isClosed) sendElsewhere(stream)
      else await update(stream)
    },
    close() {
      isClosed = true
      for (const stream of streams) sendElsewhere(stream)
    },
    count: () => streams.size,
  }
}
