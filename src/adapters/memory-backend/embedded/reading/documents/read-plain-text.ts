import { readFile } from 'node:fs/promises'
import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { decodeText } from './decode-text.ts'
import { markdownSections } from './markdown-sections.ts'

/** A file on one long line has no boundaries to be cut at. */
const LONGEST_LINE = 2_000

function readableJson(text: string): string {
  if (text.length < LONGEST_LINE || text.slice(0, LONGEST_LINE).includes('\n')) return text
  try {
    return JSON.stringify(JSON.parse(text), undefined, 1)
  } catch {
    return text
  }
}

/** txt, md and json, as they are. Markdown by its headings. */
export async function readPlainText({ path, ext, complete }: ReadJob): Promise<FileReading> {
  const text = decodeText(await readFile(path), complete)
  if (text.includes('\0')) throw new UnreadableFileError('it is not text')
  const heading = ext === 'md' ? /^#{1,2}\s+(\S.*)$/m.exec(text)?.[1] : undefined
  if (ext === 'md') return { sections: markdownSections(text), ...(heading !== undefined && { title: heading }) }
  return {
    sections: [{ text: ext === 'json' ? readableJson(text) : text }],
    ...(heading !== undefined && { title: heading }),
  }
}
