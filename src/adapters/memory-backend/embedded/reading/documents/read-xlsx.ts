import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_ROWS } from '../limits.ts'
import { CORE_PROPERTIES, officeTitle } from './office-title.ts'
import { numberedParts, partText, unzipParts } from './unzip-parts.ts'
import { xmlAttribute, xmlPieces } from './xml-text.ts'

const SHEET = /^xl\/worksheets\/sheet(\d+)\.xml$/
const NAMED_PARTS = new Set(['xl/workbook.xml', 'xl/sharedStrings.xml', CORE_PROPERTIES])

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

function sheetNames(xml: string): string[] {
  const names: string[] = []
  for (const { kind, name, value } of xmlPieces(xml)) {
    if (kind === 'open' && name === 'sheet') names.push(xmlAttribute(value, 'name') ?? '')
  }
  return names
}

/** Rows of a sheet, their cells apart; at most `most`. */
function sheetRows(xml: string, strings: readonly string[], most: number): string[] {
  const rows: string[] = []
  let cells: string[] = []
  let type: string | undefined
  let cell = ''
  for (const { kind, name, value } of xmlPieces(xml)) {
    if (kind === 'open' && name === 'c') {
      type = xmlAttribute(value, 't')
      cell = ''
    } else if (kind === 'text' && name === 'v') cell = type === 's' ? (strings[Number(value)] ?? '') : value
    else if (kind === 'text' && name === 't') cell += value
    else if (kind === 'close' && name === 'c' && cell !== '') cells.push(cell.trim())
    else if (kind === 'close' && name === 'row') {
      if (cells.length > 0) rows.push(cells.join(' | '))
      cells = []
      if (rows.length >= most) break
    }
  }
  return rows
}

/** Every sheet under its name, a row a line. Formulas are given by their stored results. */
export async function readXlsx({ path }: ReadJob): Promise<FileReading> {
  const parts = await unzipParts(path, (name) => SHEET.test(name) || NAMED_PARTS.has(name))
  const sheets = numberedParts(parts, SHEET)
  if (sheets.length === 0) throw new UnreadableFileError('it has no sheets')
  const names = sheetNames(partText(parts, 'xl/workbook.xml'))
  const strings = sharedStrings(partText(parts, 'xl/sharedStrings.xml'))
  const texts: string[] = []
  let left = MOST_ROWS
  for (const [index, { name }] of sheets.entries()) {
    const rows = sheetRows(partText(parts, name), strings, left)
    left -= rows.length
    texts.push([names[index] ?? `Sheet ${index + 1}`, ...rows].join('\n'))
    if (left <= 0) break
  }
  const note = left <= 0 ? { note: `only its first ${MOST_ROWS} rows were read` } : {}
  return { text: texts.join('\n\n'), ...officeTitle(parts), ...note }
}
