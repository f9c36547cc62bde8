import { type FileReading, type FileSection, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_ROWS } from '../limits.ts'
import { type CellFormat, cellFormats, showNumber } from './cell-formats.ts'
import { CORE_PROPERTIES, officeTitle } from './office-title.ts'
import { relationships } from './relationships.ts'
import { tableSections } from './table-sections.ts'
import { numberedParts, partText, unzipParts } from './unzip-parts.ts'
import { xmlAttribute, xmlPieces } from './xml-text.ts'

const WORKBOOK = 'xl/workbook.xml'
const STRINGS = 'xl/sharedStrings.xml'
const STYLES = 'xl/styles.xml'
const SHEET = /^xl\/worksheets\/sheet(\d+)\.xml$/
const WANTED = new Set([WORKBOOK, STRINGS, STYLES, 'xl/_rels/workbook.xml.rels', CORE_PROPERTIES])
/** In wider sheets empty cells are left out, which would be most of them. */
const MOST_ALIGNED = 64

interface Workbook {
  readonly strings: readonly string[]
  readonly formats: readonly CellFormat[]
  readonly from1904: boolean
}

interface Cell {
  readonly column: number
  readonly text: string
}

function sharedStrings(xml: string): string[] {
  const strings: string[] = []
  let inPhonetic = false
  for (const { kind, name, value } of xmlPieces(xml)) {
    if (name === 'rPh' && kind !== 'text') inPhonetic = kind === 'open'
    else if (kind === 'open' && name === 'si') strings.push('')
    else if (kind === 'text' && name === 't' && !inPhonetic) strings.push((strings.pop() ?? '') + value)
  }
  return strings
}

/** Column of a cell by its reference, from 1: "C5" is 3. */
function columnOf(reference: string): number {
  let column = 0
  for (const letter of /^[A-Z]{1,3}/.exec(reference)?.[0] ?? '') column = column * 26 + letter.charCodeAt(0) - 64
  return column
}

function cellText(type: string, style: number, value: string, { strings, formats, from1904 }: Workbook): string {
  if (type === 's') return strings[Number(value)] ?? ''
  if (type === 'b') return value === '1' ? 'TRUE' : 'FALSE'
  return type === 'n' ? showNumber(value, formats[style] ?? 'number', from1904) : value
}

/** Rows of a sheet with their cells that are not empty; at most `most`. */
function sheetCells(xml: string, workbook: Workbook, most: number): Cell[][] {
  const rows: Cell[][] = []
  let cells: Cell[] = []
  let [type, style, column, value] = ['n', 0, 0, '']
  for (const piece of xmlPieces(xml)) {
    const { kind, name } = piece
    if (kind === 'open' && name === 'c') {
      type = xmlAttribute(piece.value, 't') ?? 'n'
      style = Number(xmlAttribute(piece.value, 's') ?? 0)
      column = columnOf(xmlAttribute(piece.value, 'r') ?? '') || column + 1
      value = ''
    } else if (kind === 'text' && (name === 'v' || name === 't')) value += piece.value
    else if (kind === 'close' && name === 'c' && value !== '') {
      const text = cellText(type, style, value, workbook).replace(/\s+/g, ' ').trim()
      if (text !== '') cells.push({ column, text })
    } else if (kind === 'close' && name === 'row') {
      if (cells.length > 0) rows.push(cells)
      cells = []
      column = 0
      if (rows.length >= most) break
    }
  }
  return rows
}

/** Cells under one another where they stand so in the sheet. */
function align(rows: readonly Cell[][]): string[][] {
  const used = new Set(rows.flatMap((row) => row.map(({ column }) => column)))
  if (used.size > MOST_ALIGNED) return rows.map((row) => row.map(({ text }) => text))
  const columns = [...used].sort((a, b) => a - b)
  return rows.map((row) => {
    const byColumn = new Map(row.map(({ column, text }) => [column, text]))
    const last = Math.max(...byColumn.keys())
    return columns.filter((column) => column <= last).map((column) => byColumn.get(column) ?? '')
  })
}

/** Sheets with their names, in the order of the workbook; by number where it does not say. */
function sheetsOf(parts: ReadonlyMap<string, Uint8Array>, workbook: string): { sheet: string; part: string }[] {
  const related = relationships(parts, WORKBOOK)
  const named = [...xmlPieces(workbook)].flatMap(({ kind, name, value }) =>
    kind === 'open' && name === 'sheet'
      ? [{ sheet: xmlAttribute(value, 'name') ?? '', part: related.get(xmlAttribute(value, 'r:id') ?? '')?.part ?? '' }]
      : [],
  )
  const known = named.filter(({ part }) => parts.has(part))
  if (known.length > 0) return known
  return numberedParts(parts, SHEET).map(({ name }, index) => ({
    sheet: named[index]?.sheet || `Sheet ${index + 1}`,
    part: name,
  }))
}

function countsFrom1904(workbook: string): boolean {
  for (const { kind, name, value } of xmlPieces(workbook)) {
    if (kind === 'open' && name === 'workbookPr') return /^(?:1|true)$/.test(xmlAttribute(value, 'date1904') ?? '')
  }
  return false
}

/** Every sheet, a row a line, in groups of rows. Formulas are given by their stored results. */
export async function readXlsx({ path }: ReadJob): Promise<FileReading> {
  const parts = await unzipParts(path, (name) => SHEET.test(name) || WANTED.has(name))
  const workbook = partText(parts, WORKBOOK)
  const sheets = sheetsOf(parts, workbook)
  if (sheets.length === 0) throw new UnreadableFileError('it has no sheets')
  const given: Workbook = {
    strings: sharedStrings(partText(parts, STRINGS)),
    formats: cellFormats(partText(parts, STYLES)),
    from1904: countsFrom1904(workbook),
  }
  const sections: FileSection[] = []
  let left = MOST_ROWS
  for (const { sheet, part } of sheets) {
    const rows = sheetCells(partText(parts, part), given, left)
    left -= rows.length
    sections.push(...tableSections(align(rows), { sheet }))
    if (left <= 0) break
  }
  const note = left <= 0 ? { note: `only its first ${MOST_ROWS} rows were read` } : {}
  return { sections, ...officeTitle(parts), ...note }
}
