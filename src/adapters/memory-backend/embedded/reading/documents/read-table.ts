import { readFile } from 'node:fs/promises'
import { parse } from 'csv-parse/sync'
import type { FileReading, ReadJob } from '../file-reading.ts'
import { MOST_ROWS } from '../limits.ts'
import { decodeText } from './decode-text.ts'
import { tableSections } from './table-sections.ts'

const DELIMITERS = [',', ';', '\t', '|']

/** The one that the first line has most of. */
function delimiterOf(text: string): string {
  const line = text.split('\n', 1)[0] ?? ''
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length)
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ','
}

function parseRows(text: string, delimiter: string): string[][] | undefined {
  try {
    return parse(text, {
      delimiter,
      to: MOST_ROWS,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      trim: true,
    })
  } catch {
    return undefined
  }
}

/** csv and tsv: a row a line, its cells apart. */
export async function readTable({ path, ext, complete }: ReadJob): Promise<FileReading> {
  const text = decodeText(await readFile(path), complete)
  const rows = parseRows(text, ext === 'tsv' ? '\t' : delimiterOf(text))
  if (!rows) return { sections: [{ text }] }
  return {
    sections: tableSections(rows),
    ...(rows.length === MOST_ROWS && { note: `only its first ${MOST_ROWS} rows were read` }),
  }
}
