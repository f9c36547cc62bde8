import { comparisonsOf, nameOf } from './compare.ts'
import { type Load, type Sample, VALUES } from './load.ts'
import { figure, median } from './statistics.ts'

const WIDTH = 760
const NAMES = 250
const BAR = 16
const GAP = 6
const GROUP = 30
const COLOURS = ['#2563eb', '#0891b2', '#7c3aed', '#64748b', '#94a3b8', '#b45309', '#be123c']

/** Bars of what a load's chart compares, in groups of a case each; undefined if nothing was measured. The line is at that with which all is compared. */
export function chartOf({ title, chart }: Load, samples: readonly Sample[]): string | undefined {
  if (!chart) return undefined
  const ways = [...new Set(samples.map(({ way }) => way))]
  const groups = [...new Set(samples.map((sample) => sample.case))].flatMap((name) => {
    const bars = ways.flatMap((way, at) => {
      const values = comparisonsOf(samples, { case: name, way }, chart)
      return values.length > 0 ? [{ way, value: median(values), colour: COLOURS[at % COLOURS.length] ?? '' }] : []
    })
    return bars.length > 0 ? [{ name, bars }] : []
  })
  if (groups.length === 0) return undefined
  const least = chart.by === 'x' ? 1 : 0
  const most = Math.max(least, ...groups.flatMap(({ bars }) => bars.map(({ value }) => value)))
  const scale = (value: number) => (Math.max(0, value) / most) * (WIDTH - NAMES - 60)
  const lines: string[] = []
  let y = 40
  for (const { name, bars } of groups) {
    y += GROUP
    lines.push(text(10, y - 8, name, 'font-weight="bold"'))
    for (const { way, value, colour } of bars) {
      lines.push(text(NAMES - 8, y + BAR - 4, way, 'text-anchor="end"'))
      lines.push(`<rect x="${NAMES}" y="${y}" width="${scale(value).toFixed(1)}" height="${BAR}" fill="${colour}"/>`)
      lines.push(text(NAMES + scale(value) + 6, y + BAR - 4, figure(value)))
      y += BAR + GAP
    }
  }
  const at = NAMES + scale(least)
  if (chart.by === 'x')
    lines.push(`<line x1="${at}" x2="${at}" y1="46" y2="${y}" stroke="#334155" stroke-dasharray="4 3"/>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 12}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${text(10, 24, `${title}: ${nameOf(chart, VALUES)}`, 'font-size="15" font-weight="bold"')}
${lines.join('\n')}
</svg>
`
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped}</text>`
}
