import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getDocumentProxy } from 'unpdf'
import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_CHARACTERS, MOST_PAGES } from '../limits.ts'

type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>

const pdfjs = dirname(fileURLToPath(import.meta.resolve('pdfjs-dist/package.json')))

async function open(path: string): Promise<PdfDocument> {
  try {
    return await getDocumentProxy(new Uint8Array(await readFile(path)), {
      // Without them, Chinese text in fonts that the file does not embed is lost.
      cMapUrl: `${join(pdfjs, 'cmaps')}/`,
      cMapPacked: true,
      standardFontDataUrl: `${join(pdfjs, 'standard_fonts')}/`,
      verbosity: 0,
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'PasswordException') throw new UnreadableFileError('it is encrypted')
    throw error
  }
}

async function pageText(document: PdfDocument, number: number): Promise<string> {
  const page = await document.getPage(number)
  const { items } = await page.getTextContent()
  const text = items.map((item) => ('str' in item ? `${item.str}${item.hasEOL ? '\n' : ''}` : '')).join('')
  page.cleanup()
  return text
}

async function title(document: PdfDocument): Promise<{ title?: string }> {
  const info = (await document.getMetadata()).info as { Title?: unknown }
  return typeof info.Title === 'string' && info.Title.trim() !== '' ? { title: info.Title } : {}
}

/** Page by page, until there is enough text. */
export async function readPdf({ path }: ReadJob): Promise<FileReading> {
  const document = await open(path)
  const pages = Math.min(document.numPages, MOST_PAGES)
  let text = ''
  for (let number = 1; number <= pages && text.length <= MOST_CHARACTERS; number++) {
    text += `${await pageText(document, number)}\n\n`
  }
  const reading = { text, ...(await title(document)) }
  if (text.trim() === '') return { ...reading, note: `${document.numPages} pages without text, perhaps scanned` }
  return document.numPages > MOST_PAGES ? { ...reading, note: `only its first ${MOST_PAGES} pages were read` } : reading
}
