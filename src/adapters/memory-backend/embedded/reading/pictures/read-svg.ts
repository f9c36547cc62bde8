import { readFile } from 'node:fs/promises'
import { decodeText } from '../documents/decode-text.ts'
import { xmlPieces } from '../documents/xml-text.ts'
import type { FileReading, ReadJob } from '../file-reading.ts'
import type { ReadTools } from '../read-tools.ts'
import { describePicture } from './read-picture.ts'

const SAID = new Set(['title', 'desc', 'text', 'tspan', 'textPath', 'a'])

function words(xml: string): { title?: string; text: string } {
  let title: string | undefined
  const lines: string[] = []
  for (const { kind, name, value } of xmlPieces(xml)) {
    if (kind !== 'text' || !SAID.has(name) || value.trim() === '') continue
    const line = value.replace(/\s+/g, ' ').trim()
    if (name === 'title') title ??= line
    lines.push(line)
  }
  return { text: lines.join('\n'), ...(title !== undefined && { title }) }
}

/** Its words, and what it looks like. Rendered from memory: without a base address, no reference leads anywhere. */
export async function readSvg({ path, complete }: ReadJob, { keepGps }: ReadTools): Promise<FileReading> {
  const bytes = await readFile(path)
  const { text, ...title } = words(decodeText(bytes, complete))
  const seen = await describePicture(bytes, 'svg', keepGps)
  return { ...title, ...seen, sections: [...seen.sections, ...(text === '' ? [] : [{ text }])] }
}
