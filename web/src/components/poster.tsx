import { useId } from 'preact/hooks'
import type { JSX } from 'preact'

export type PosterSubject = { concertId: number; title: string; artist: string }

type Palette = { ground: string; deep: string; mid: string; bright: string; ink: string }

const palettes: Palette[] = [
  { ground: '#1d2348', deep: '#3d2c62', mid: '#e2553a', bright: '#f8b65a', ink: '#fff3df' },
  { ground: '#0d3140', deep: '#14505c', mid: '#4f97a0', bright: '#d3ece6', ink: '#f4fbf7' },
  { ground: '#2a1633', deep: '#5a2350', mid: '#d8485c', bright: '#ffb37a', ink: '#fff0e2' },
  { ground: '#14301f', deep: '#24543a', mid: '#7da453', bright: '#f0d86b', ink: '#fbf8e3' },
  { ground: '#3a1414', deep: '#7a2222', mid: '#e8743b', bright: '#fbd9a0', ink: '#fff4e6' },
  { ground: '#18202b', deep: '#2d3f57', mid: '#6f8fd6', bright: '#f3c9d3', ink: '#f5f6fb' },
]

/** A stream of numbers from 0 to 1 that is the same for the same text (mulberry32 over FNV-1a). */
function numbersOf(text: string): () => number {
  let seed = 2_166_136_261
  for (const character of text) seed = Math.imul(seed ^ (character.codePointAt(0) ?? 0), 16_777_619)
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

type Draw = (palette: Palette, random: () => number, glow: string) => JSX.Element

/** A sun that comes up behind the stage. */
const sunrise: Draw = ({ deep, mid, bright, ground }, random, glow) => (
  <>
    <rect width="400" height="500" fill={`url(#${glow})`} />
    {range(7).map((ring) => (
      <circle
        key={ring}
        cx="200"
        cy="338"
        r={214 - ring * 26}
        fill={ring % 2 ? mid : bright}
        opacity={0.16 + ring * 0.12}
      />
    ))}
    {range(9).map((line) => (
      <rect
        key={line}
        x="0"
        y={338 + line * line * 2.4}
        width="400"
        height={3 + line * 2.2}
        fill={line % 2 ? deep : ground}
      />
    ))}
    <rect y="470" width="400" height="30" fill={ground} />
    {range(16).map((star) => (
      <circle
        key={star}
        cx={random() * 400}
        cy={random() * 110}
        r={0.8 + random() * 1.4}
        fill={bright}
        opacity="0.8"
      />
    ))}
  </>
)

/** Voices: arcs that overlap, and snow. */
const voices: Draw = ({ deep, mid, bright, ink }, random) => (
  <>
    <circle cx="318" cy="226" r="46" fill={ink} opacity="0.92" />
    <circle cx="300" cy="216" r="42" fill={deep} />
    {range(6).map((row) => (
      <g
        key={row}
        fill="none"
        stroke={row % 2 ? mid : bright}
        stroke-width={row % 2 ? 16 : 9}
        opacity={0.35 + row * 0.12}
      >
        {range(5).map((column) => (
          <path
            key={column}
            d={`M${column * 110 - 75 + (row % 2) * 55} ${520 - row * 46}a55 ${88 + row * 6} 0 0 1 110 0`}
          />
        ))}
      </g>
    ))}
    {range(46).map((flake) => (
      <circle
        key={flake}
        cx={random() * 400}
        cy={random() * 470}
        r={1 + random() * 2.6}
        fill={ink}
        opacity={0.35 + random() * 0.6}
      />
    ))}
  </>
)

/** A road that does not end. */
const road: Draw = ({ ground, deep, mid, bright, ink }, random) => {
  const peaks = range(9).map((peak) => `${peak * 50} ${262 - random() * 84 - (peak % 2) * 34}`)
  return (
    <>
      <circle cx="206" cy="236" r="80" fill={bright} />
      {range(6).map((bar) => (
        <rect key={bar} x="80" y={236 + bar * 15} width="240" height={3 + bar * 2} fill={deep} />
      ))}
      <path d={`M0 300 L${peaks.join(' L')} L400 300Z`} fill={mid} opacity="0.86" />
      <path d="M0 290 Q120 262 200 284 T400 276 V500 H0Z" fill={ground} />
      <path d="M186 285 L214 285 L330 500 L70 500Z" fill={deep} />
      {range(6).map((dash) => (
        <path
          key={dash}
          d={`M${199 - dash * 1.2} ${296 + dash * dash * 7} h${2 + dash * 2.4} l${dash * 0.6} ${8 + dash * 6} h${-(2 + dash * 3.6)}Z`}
          fill={ink}
        />
      ))}
    </>
  )
}

/** A record, half out of its sleeve. */
const disc: Draw = ({ deep, mid, bright, ground }) => (
  <>
    <circle cx="282" cy="300" r="168" fill={ground} />
    {range(8).map((groove) => (
      <circle
        key={groove}
        cx="282"
        cy="300"
        r={160 - groove * 13}
        fill="none"
        stroke={groove % 3 ? deep : mid}
        stroke-width="3"
      />
    ))}
    <circle cx="282" cy="300" r="54" fill={bright} />
    <circle cx="282" cy="300" r="9" fill={ground} />
    <rect x="-20" y="150" width="236" height="300" fill={mid} />
    <path d="M-20 150h236L-20 410Z" fill={bright} opacity="0.55" />
  </>
)

/** A city of sound. */
const skyline: Draw = ({ deep, mid, bright }, random) => (
  <>
    {range(3).map((layer) =>
      range(20).map((bar) => {
        const height = 60 + random() * (250 - layer * 60)
        return (
          <rect
            key={`${layer}${bar}`}
            x={bar * 20 + 2}
            y={500 - height}
            width="16"
            height={height}
            rx="8"
            fill={[deep, mid, bright][layer]}
            opacity={0.95 - layer * 0.12}
          />
        )
      }),
    )}
  </>
)

const drawings: Draw[] = [sunrise, voices, road, disc, skyline]

/** Breaks a title into lines that fill the width. Korean letters are about twice as wide as Latin ones. */
function linesOf(title: string): { lines: string[]; size: number } {
  const width = (text: string) => {
    let sum = 0
    for (const character of text) sum += character > '\u1100' ? 1 : character === ' ' ? 0.3 : 0.7
    return sum
  }
  const lines: string[] = []
  for (const word of title.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && width(`${last} ${word}`) <= 6) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  const shown = lines.slice(0, 4)
  return { lines: shown, size: Math.min(74, 344 / Math.max(...shown.map(width), 1)) }
}

/** The poster of a concert: drawn from what it is, the same every time. The words beside it say the same. */
export function Poster({ concert, bare = false }: { concert: PosterSubject; bare?: boolean }) {
  const glow = useId()
  const random = numbersOf(`${concert.concertId} ${concert.title} ${concert.artist}`)
  const palette = palettes[(concert.concertId - 1) % palettes.length] as Palette
  const draw = drawings[(concert.concertId - 1) % drawings.length] as Draw
  const { lines, size } = linesOf(concert.title)
  return (
    <svg
      class="poster"
      viewBox={bare ? '0 90 400 300' : '0 0 400 500'}
      preserveAspectRatio={bare ? 'xMidYMid slice' : 'xMidYMin slice'}
      aria-hidden="true"
      focusable="false"
    >
      <defs>
        <linearGradient id={glow} x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stop-color={palette.ground} />
          <stop offset="0.7" stop-color={palette.deep} />
        </linearGradient>
      </defs>
      <rect width="400" height="500" fill={`url(#${glow})`} />
      {draw(palette, random, glow)}
      {!bare && (
        <g fill={palette.ink}>
          {lines.map((line, index) => (
            <text
              key={line}
              x="28"
              y={52 + size * 0.8 + index * size * 0.98}
              class="poster-title"
              font-size={size}
            >
              {line}
            </text>
          ))}
          <text x="30" y="44" class="poster-artist" font-size="17">
            {concert.artist}
          </text>
        </g>
      )}
    </svg>
  )
}
