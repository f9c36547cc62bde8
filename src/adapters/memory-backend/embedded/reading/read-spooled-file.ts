import { type FileReading, type ReadJob, UnreadableFileError } from './file-reading.ts'
import type { ReadPart, ReadTools } from './read-tools.ts'
import { trimReading } from './trim-reading.ts'

type Reader = (job: ReadJob, tools: ReadTools) => Promise<FileReading>

const HEAD_NOTE = 'only its beginning was read'

const picture: Reader = async (job, tools) => (await import('./pictures/read-picture.ts')).readPicture(job, tools)
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
  eml: async (job, tools) => (await import('./documents/read-email.ts')).readEmail(job, tools),
  rtf: async (job) => (await import('./documents/read-rtf.ts')).readRtf(job),
  pdf: async (job, tools) => (await import('./documents/read-pdf.ts')).readPdf(job, tools),
  docx: async (job) => (await import('./documents/read-docx.ts')).readDocx(job),
  pptx: async (job) => (await import('./documents/read-pptx.ts')).readPptx(job),
  xlsx: async (job) => (await import('./documents/read-xlsx.ts')).readXlsx(job),
  svg: async (job, tools) => (await import('./pictures/read-svg.ts')).readSvg(job, tools),
}

function readerFor({ ext, kind }: ReadJob): Reader {
  const reader =
    READERS[ext] ??
    { image: picture, audio: sound, doc: plain, pdf: READERS.pdf, html: READERS.html, email: READERS.eml }[kind]
  if (!reader) throw new UnreadableFileError('its type is not known')
  return reader
}

/**
 * What a file says, in the reading process, tidy and no longer than is kept of it. Throws `UnreadableFileError`, or
 * whatever a parser throws.
 */
export async function readSpooledFile(job: ReadJob, tools: ReadTools): Promise<FileReading> {
  const readPart: ReadPart = (part) => readerFor(part)(part, tools)
  const reading = await readerFor(job)(job, { ...tools, readPart })
  return trimReading(job.complete || reading.note ? reading : { ...reading, note: HEAD_NOTE })
}
