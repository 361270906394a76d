export type StreamEvent = { name: string; data: unknown }

/** Splits the text of a stream into its events; what is not finished is kept for the next piece. */
export function eventReader(): (piece: string) => StreamEvent[] {
  let buffer = ''
  return (piece) => {
    buffer += piece
    const blocks = buffer.split('\n\n')
    buffer = blocks.pop() ?? ''
    const events: StreamEvent[] = []
    for (const block of blocks) {
      let name = 'message'
      let data = ''
      for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) name = line.slice(7)
        if (line.startsWith('data: ')) data += line.slice(6)
      }
      if (data) events.push({ name, data: JSON.parse(data) })
    }
    return events
  }
}
