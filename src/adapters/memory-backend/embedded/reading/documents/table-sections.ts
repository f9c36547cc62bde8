import { textWidth } from '../../text/passages.ts'
import type { FileSection } from '../file-reading.ts'

/** Columns of text in a group of rows: with the file's name in front they still fit one passage. */
const GROUP_WIDTH = 1_000
/** A longer header row leaves too little of a group for its rows. */
const WIDEST_HEADER = 400
/** Above a table there may be a line or two about it. */
const HEADER_WITHIN = 5

const NUMBER = /^[-+(]?[\p{Sc}]?[\d.,' ]{1,40}[%)]?$/u

/** The first row that names at least two columns and holds no number; -1 if there is none. */
export function headerOf(rows: readonly (readonly string[])[]): number {
  return rows.slice(0, HEADER_WITHIN).findIndex((row) => {
    const cells = row.filter((cell) => cell !== '')
    return cells.length >= 2 && cells.every((cell) => !NUMBER.test(cell))
  })
}

export function rowText(row: readonly string[]): string {
  return row.join(' | ')
}

/** Rows of a table in groups, each with the header row; one group if they are few. */
export function tableSections(
  rows: readonly (readonly string[])[],
  section: Omit<FileSection, 'text'> = {},
): FileSection[] {
  const at = headerOf(rows)
  const header = at === -1 ? '' : rowText(rows[at] ?? [])
  const repeated = header !== '' && textWidth(header) <= WIDEST_HEADER ? header : undefined
  const sections: FileSection[] = []
  let lines: string[] = []
  let width = 0
  for (const [index, row] of rows.entries()) {
    const line = rowText(row)
    const wide = textWidth(line) + 1
    if (lines.length > 0 && width + wide > GROUP_WIDTH && index > at) {
      sections.push({ ...section, text: lines.join('\n') })
      lines = repeated === undefined || index <= at ? [] : [repeated]
      width = lines.length > 0 ? textWidth(header) + 1 : 0
    }
    lines.push(line)
    width += wide
  }
  if (lines.length > 0) sections.push({ ...section, text: lines.join('\n') })
  return sections
}
