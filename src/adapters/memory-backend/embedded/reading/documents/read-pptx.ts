import { type FileReading, type FileSection, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_PAGES } from '../limits.ts'
import { CORE_PROPERTIES, officeTitle } from './office-title.ts'
import { relationships } from './relationships.ts'
import { rowText } from './table-sections.ts'
import { numberedParts, partText, unzipParts } from './unzip-parts.ts'
import { xmlAttribute, xmlPieces } from './xml-text.ts'

const PRESENTATION = 'ppt/presentation.xml'
const SLIDE = /^ppt\/slides\/slide(\d+)\.xml$/
const WANTED = /^ppt\/(?:(?:slides|notesSlides)\/[^/]+\.xml|slides\/_rels\/[^/]+\.rels|_rels\/presentation\.xml\.rels)$/

/** Placeholders that repeat the design on every slide, or the slide itself on its page of notes. */
const FURNITURE = new Set(['sldNum', 'dt', 'ftr', 'hdr', 'sldImg'])

interface Drawn {
  text: string
  title: string
}

/** Text of a drawing, a paragraph or a row of a table a line. Fields are slide numbers and dates: not said by anybody. */
function drawn(xml: string): Drawn {
  const found: Drawn = { text: '', title: '' }
  let inField = false
  let shape = ''
  let row: string[] | undefined
  let line = ''
  const end = () => {
    if (row) return
    if (!FURNITURE.has(shape)) found.text += `${line.trim()}\n`
    if (/^(?:title|ctrTitle)$/.test(shape)) found.title += ` ${line.trim()}`
    line = ''
  }
  for (const { kind, name, value } of xmlPieces(xml)) {
    if (name === 'fld' && kind !== 'text') inField = kind === 'open'
    else if (kind === 'text') line += name === 't' && !inField ? value : ''
    else if (name === 'sp') shape = ''
    else if (kind === 'open' && name === 'ph') shape = xmlAttribute(value, 'type') ?? ''
    else if (kind === 'open' && name === 'tr') row = []
    else if (kind === 'close' && name === 'tc') {
      row?.push(line.replace(/\s+/g, ' ').trim())
      line = ''
    } else if (kind === 'close' && name === 'tr') {
      line = rowText(row ?? [])
      row = undefined
      end()
    } else if (kind === 'close' && (name === 'p' || name === 'br')) {
      line += row ? ' ' : ''
      end()
    }
  }
  return { text: found.text.replace(/\n{2,}/g, '\n').trim(), title: found.title.trim() }
}

/** Names of the slides' parts in the order in which they are shown; by number where the presentation does not say. */
function slideOrder(parts: ReadonlyMap<string, Uint8Array>): string[] {
  const related = relationships(parts, PRESENTATION)
  const shown = [...xmlPieces(partText(parts, PRESENTATION))].flatMap(({ kind, name, value }) => {
    const part = kind === 'open' && name === 'sldId' && related.get(xmlAttribute(value, 'r:id') ?? '')?.part
    return part && parts.has(part) ? [part] : []
  })
  return shown.length > 0 ? [...new Set(shown)] : numberedParts(parts, SLIDE).map(({ name }) => name)
}

/** By number only in a file that relates nothing to anything. */
function notesOf(parts: ReadonlyMap<string, Uint8Array>, slide: string): string {
  const related = [...relationships(parts, slide).values()].find(({ type }) => type === 'notesSlide')?.part
  const numbered = parts.has(PRESENTATION) ? '' : slide.replace(SLIDE, 'ppt/notesSlides/notesSlide$1.xml')
  return drawn(partText(parts, related ?? numbered)).text
}

/** Each slide with its speaker notes. */
export async function readPptx({ path }: ReadJob): Promise<FileReading> {
  const parts = await unzipParts(path, (name) => WANTED.test(name) || name === PRESENTATION || name === CORE_PROPERTIES)
  const slides = slideOrder(parts)
  if (slides.length === 0) throw new UnreadableFileError('it has no slides')
  const sections = slides.slice(0, MOST_PAGES).map((name, index): FileSection => {
    const { text, title } = drawn(partText(parts, name))
    const notes = notesOf(parts, name)
    return {
      text: notes === '' ? text : `${text}\nNotes: ${notes}`,
      slide: index + 1,
      ...(title !== '' && { heading: title }),
    }
  })
  const note = slides.length > MOST_PAGES ? { note: `only its first ${MOST_PAGES} slides were read` } : {}
  return { sections, ...officeTitle(parts), ...note }
}
