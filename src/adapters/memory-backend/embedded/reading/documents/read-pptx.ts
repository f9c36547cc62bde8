import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_PAGES } from '../limits.ts'
import { CORE_PROPERTIES, officeTitle } from './office-title.ts'
import { numberedParts, partText, unzipParts } from './unzip-parts.ts'
import { xmlPieces } from './xml-text.ts'

const SLIDE = /^ppt\/slides\/slide(\d+)\.xml$/
const NOTES = /^ppt\/notesSlides\/notesSlide(\d+)\.xml$/

/** Text of a drawing, a paragraph a line. Fields are slide numbers and dates: not said by anybody. */
function drawingText(xml: string): string {
  let text = ''
  let inField = false
  for (const { kind, name, value } of xmlPieces(xml)) {
    if (name === 'fld' && kind !== 'text') inField = kind === 'open'
    else if (kind === 'text' && name === 't' && !inField) text += value
    else if (kind === 'close' && (name === 'p' || name === 'br')) text += '\n'
  }
  return text.replace(/\n{2,}/g, '\n').trim()
}

/** Slides in the order of their files' numbers, each with its speaker notes. */
export async function readPptx({ path }: ReadJob): Promise<FileReading> {
  const parts = await unzipParts(path, (name) => SLIDE.test(name) || NOTES.test(name) || name === CORE_PROPERTIES)
  const slides = numberedParts(parts, SLIDE)
  if (slides.length === 0) throw new UnreadableFileError('it has no slides')
  const texts = slides.slice(0, MOST_PAGES).map(({ number, name }) => {
    const notes = drawingText(partText(parts, `ppt/notesSlides/notesSlide${number}.xml`))
    return `Slide ${number}\n${drawingText(partText(parts, name))}${notes === '' ? '' : `\nNotes: ${notes}`}`
  })
  const note = slides.length > MOST_PAGES ? { note: `only its first ${MOST_PAGES} slides were read` } : {}
  return { text: texts.join('\n\n'), ...officeTitle(parts), ...note }
}
