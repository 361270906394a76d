import { useMemo, useRef, useState } from 'preact/hooks'
import { format, t } from '../i18n/index.ts'
import type { Seat } from '../state/nearby-seats.ts'

/** One line of the drawn map: seats of one price, side by side. */
type Row = { seats: Seat[]; zone: number; isFirstOfZone: boolean }

/** Seats side by side: ten fit a narrow phone with room for a thumb on each. */
function columnsFor(count: number): number {
  if (count <= 80) return 10
  return count <= 400 ? 20 : 30
}

/** The prices of a show, dearest first: its zones. */
export function pricesOf(seats: Seat[]): number[] {
  return [...new Set(seats.map(({ price }) => price))].toSorted((a, b) => b - a)
}

/** Lays seats out in the order of their numbers; where the price changes a new row begins. */
function layOut(seats: Seat[]): Row[] {
  const prices = pricesOf(seats)
  const columns = columnsFor(seats.length)
  const rows: Row[] = []
  for (const seat of seats) {
    const row = rows.at(-1)
    const zone = prices.indexOf(seat.price)
    if (row && row.zone === zone && row.seats.length < columns) row.seats.push(seat)
    else rows.push({ seats: [seat], zone, isFirstOfZone: row?.zone !== zone })
  }
  return rows
}

type Mark = Seat['state'] | 'selected' | 'yours'

/** How far a seat of a row is set back, in px: rows bend around the stage. */
function bend(index: number, count: number): number {
  const fromMiddle = index - (count - 1) / 2
  return -Math.round(fromMiddle * fromMiddle * (count > 10 ? 0.16 : 0.55) * 10) / 10
}

/**
 * The seats of a show as a grid with one tab stop: arrow keys move, Space and Enter choose. Taken seats can be
 * reached too, so that a screen reader can look around.
 */
export function SeatMap(props: {
  seats: Seat[]
  selected: number[]
  yours: number[]
  onToggle: (seat: Seat) => void
}) {
  const { seats, selected, yours, onToggle } = props
  const rows = useMemo(() => layOut(seats), [seats])
  const grid = useRef<HTMLDivElement>(null)
  const [current, setCurrent] = useState<number>()
  const chosen = new Set(selected)
  const own = new Set(yours)
  const first = seats.find(({ state }) => state === 'available') ?? seats[0]
  const tabStop =
    current !== undefined && seats.some(({ number }) => number === current) ? current : first?.number
  const { map } = t.value

  function markOf(seat: Seat): Mark {
    if (own.has(seat.number) && seat.state === 'held') return 'yours'
    return chosen.has(seat.number) && seat.state === 'available' ? 'selected' : seat.state
  }

  function focusOn(rowIndex: number, column: number): void {
    const row = rows[Math.max(0, Math.min(rowIndex, rows.length - 1))]
    const seat = row?.seats[Math.max(0, Math.min(column, row.seats.length - 1))]
    if (!seat) return
    setCurrent(seat.number)
    grid.current?.querySelector<HTMLElement>(`[data-seat="${seat.number}"]`)?.focus()
  }

  function onKeyDown(event: KeyboardEvent, rowIndex: number, column: number): void {
    const size = rows[rowIndex]?.seats.length ?? 0
    const target: Record<string, [number, number]> = {
      ArrowLeft: column > 0 ? [rowIndex, column - 1] : [rowIndex - 1, Infinity],
      ArrowRight: column < size - 1 ? [rowIndex, column + 1] : [rowIndex + 1, 0],
      ArrowUp: [rowIndex - 1, column],
      ArrowDown: [rowIndex + 1, column],
      Home: [event.ctrlKey ? 0 : rowIndex, 0],
      End: [event.ctrlKey ? rows.length - 1 : rowIndex, Infinity],
    }
    const to = target[event.key]
    if (!to) return
    event.preventDefault()
    // Beyond the first or last row there is nothing to go to.
    if (to[0] >= 0 && to[0] < rows.length) focusOn(...to)
  }

  return (
    <div class="hall">
      <svg class="stage" viewBox="0 0 400 46" aria-hidden="true" focusable="false">
        <path d="M20 8 Q200 58 380 8" />
        <text x="200" y="15">
          {map.stage}
        </text>
      </svg>
      {/* Wide halls scroll by themselves, so that the page never does sideways. */}
      <div class="hall-scroll">
        <div
          ref={grid}
          class="hall-grid"
          role="grid"
          aria-label={map.label}
          aria-describedby="map-help"
          aria-multiselectable="true"
        >
          {rows.map((row, rowIndex) => (
            <div
              key={row.seats[0]?.number}
              role="row"
              class={`hall-row zone-${Math.min(row.zone, 3)} ${row.isFirstOfZone && rowIndex > 0 ? 'zone-first' : ''}`}
            >
              {row.seats.map((seat, column) => {
                const mark = markOf(seat)
                const isFree = mark === 'available' || mark === 'selected'
                return (
                  <div
                    key={seat.number}
                    role="gridcell"
                    aria-selected={mark === 'selected'}
                    style={{ '--bend': `${bend(column, row.seats.length)}px` }}
                  >
                    <button
                      class={`seat seat-${mark}`}
                      data-seat={seat.number}
                      tabIndex={seat.number === tabStop ? 0 : -1}
                      aria-pressed={mark === 'selected'}
                      aria-disabled={!isFree}
                      aria-label={`${map.seat(seat.number)}, ${format.won(seat.price)}, ${map[mark]}`}
                      onFocus={() => setCurrent(seat.number)}
                      onKeyDown={(event) => onKeyDown(event, rowIndex, column)}
                      onClick={() => onToggle(seat)}
                    >
                      <span aria-hidden="true">
                        {mark === 'selected' || mark === 'yours'
                          ? '✓'
                          : mark === 'available'
                            ? seat.number
                            : ''}
                      </span>
                    </button>
                  </div>
                )
              })}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}

/** What the marks mean, with a picture and a word each. */
export function SeatLegend() {
  const { map } = t.value
  const marks: Mark[] = ['available', 'selected', 'held', 'sold']
  return (
    <ul class="legend" aria-label={map.legend}>
      {marks.map((mark) => (
        <li key={mark}>
          <span class={`seat seat-${mark}`} aria-hidden="true">
            {mark === 'selected' ? '✓' : ''}
          </span>
          {map[mark]}
        </li>
      ))}
    </ul>
  )
}
