import { cutText, tidyText } from '../text/clean-text.ts'
import { type FileReading, type ReadJob, UnreadableFileError } from './file-reading.ts'
import { MOST_CHARACTERS } from './limits.ts'

type Reader = (job: ReadJob) => Promise<FileReading>

const HEAD_NOTE = 'only its beginning was read'

const picture: Reader = async (job) => (await import('./pictures/read-picture.ts')).readPicture(job)
const sound: Reader = async (job) => (await import('./sounds/read-sound.ts')).readSound(job)
const plain: Reader = async (job) => (await import('./documents/read-plain-text.ts')).readPlainText(job)

/** Parsers are loaded when the first file of their kind comes. */
const READERS: Readonly<Record<string, Reader>> = {
  txt: plain,
  md: plain,
  json: plain,
  csv: async (job) => (await import('./documents/read-table.ts')).readTable(job),
  tsv: async (job) => (await import('./documents/read-table.ts')).readTable(job),
  html: async (job) => (await import('./documents/read-html.ts')).readHtml(job),
  eml: async (job) => (await import('./documents/read-email.ts')).readEmail(job),
  rtf: async (job) => (await import('./documents/read-rtf.ts')).readRtf(job),
  pdf: async (job) => (await import('./documents/read-pdf.ts')).readPdf(job),
  docx: async (job) => (await import('./documents/read-docx.ts')).readDocx(job),
  pptx: async (job) => (await import('./documents/read-pptx.ts')).readPptx(job),
  xlsx: async (job) => (await import('./documents/read-xlsx.ts')).readXlsx(job),
  svg: async (job) => (await import('./pictures/read-svg.ts')).readSvg(job),
}

function readerFor({ ext, kind }: ReadJob): Reader {
  const reader =
    READERS[ext] ??
    { image: picture, audio: sound, doc: plain, pdf: READERS.pdf, html: READERS.html, email: READERS.eml }[kind]
  if (!reader) throw new UnreadableFileError('its type is not known')
  return reader
}

/** One more than are kept, which shows that there were more: a text of any length must not reach the gateway's process. */
const MOST_SENT = MOST_CHARACTERS + 1

/**
 * The text of a file, in the reading process, tidy and no longer than is kept of it. Throws `UnreadableFileError`, or
 * whatever a parser throws.
 */
export async function readSpooledFile(job: ReadJob): Promise<FileReading> {
  const { text, title, note } = await readerFor(job)(job)
  const reading = {
    text: cutText(tidyText(text), MOST_SENT),
    ...(title !== undefined && { title: cutText(title, MOST_SENT) }),
    ...(note !== undefined && { note }),
  }
  return job.complete || reading.note ? reading : { ...reading, note: HEAD_NOTE }
}
