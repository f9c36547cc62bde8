import { xmlAttribute, xmlPieces } from './xml-text.ts'

/** How a number in a sheet is meant. */
export type CellFormat = 'number' | 'percent' | 'date' | 'time'

const DATES = new Set([14, 15, 16, 17, 22, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58])
const TIMES = new Set([18, 19, 20, 21, 32, 33, 34, 35, 45, 46, 47, 55, 56])
const PERCENTS = new Set([9, 10])

function meaningOf(id: number, code: string | undefined): CellFormat {
  if (DATES.has(id)) return 'date'
  if (TIMES.has(id)) return 'time'
  if (PERCENTS.has(id)) return 'percent'
  // Of a format of the file's own the first section, without what it shows literally.
  const letters = (code ?? '').split(';', 1)[0]?.replace(/"[^"]*"|\\.|\[[^\]]*\]|_./g, '') ?? ''
  if (/[yd]/i.test(letters)) return 'date'
  if (/[hs]/i.test(letters) && !/general/i.test(letters)) return 'time'
  return letters.includes('%') ? 'percent' : 'number'
}

/** Formats of cells by their `s` attribute. */
export function cellFormats(styles: string): CellFormat[] {
  const codes = new Map<number, string>()
  const formats: CellFormat[] = []
  let inCells = false
  for (const { kind, name, value } of xmlPieces(styles)) {
    if (name === 'cellXfs') inCells = kind === 'open'
    else if (kind === 'open' && name === 'numFmt') {
      codes.set(Number(xmlAttribute(value, 'numFmtId')), xmlAttribute(value, 'formatCode') ?? '')
    } else if (kind === 'open' && name === 'xf' && inCells) {
      const id = Number(xmlAttribute(value, 'numFmtId') ?? 0)
      formats.push(meaningOf(id, codes.get(id)))
    }
  }
  return formats
}

const DAY_MS = 86_400_000
/** Day 0 of the usual calendar, which counts a 29 February 1900 that was none, and of the one that starts in 1904. */
const EPOCH_1900 = Date.UTC(1899, 11, 30)
const EPOCH_1904 = Date.UTC(1904, 0, 1)
const LAST_DAY = 2_958_466

/** A number as a sheet shows it, dates as in ISO 8601; what is no number stays as it is. */
export function showNumber(value: string, format: CellFormat, from1904: boolean): string {
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number)) return value
  if (format === 'percent') return `${Number((number * 100).toPrecision(12))}%`
  if (format === 'number' || number < 0 || number >= LAST_DAY) return String(Number(number.toPrecision(15)))
  const iso = new Date(
    (from1904 ? EPOCH_1904 : EPOCH_1900) + Math.round((number * DAY_MS) / 1_000) * 1_000,
  ).toISOString()
  const day = iso.slice(0, 10)
  const time = iso.slice(11, 19).replace(/:00$/, '')
  if (format === 'time' && number < 1) return time
  return time === '00:00' ? day : `${day} ${time}`
}
