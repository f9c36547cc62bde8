import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getDocumentProxy } from 'unpdf'
import { type FileReading, type FileSection, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_CHARACTERS, MOST_OCR_PAGES, MOST_PAGES, MOST_SCAN_PIXELS } from '../limits.ts'
import type { ReadTools, TextRecogniser } from '../read-tools.ts'
import { pdfPageImages } from './pdf-page-images.ts'
import { pdfPageText } from './pdf-page-text.ts'

type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>
export type PdfPage = Awaited<ReturnType<PdfDocument['getPage']>>

const pdfjs = dirname(fileURLToPath(import.meta.resolve('pdfjs-dist/package.json')))

async function open(path: string): Promise<PdfDocument> {
  try {
    return await getDocumentProxy(new Uint8Array(await readFile(path)), {
      // Without them, Chinese text in fonts that the file does not embed is lost.
      cMapUrl: `${join(pdfjs, 'cmaps')}/`,
      cMapPacked: true,
      standardFontDataUrl: `${join(pdfjs, 'standard_fonts')}/`,
      wasmUrl: `${join(pdfjs, 'wasm')}/`,
      maxImageSize: MOST_SCAN_PIXELS,
      verbosity: 0,
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'PasswordException') throw new UnreadableFileError('it is encrypted')
    throw error
  }
}

/** The scanned pages of a file, as long as there is time for them. */
class ScannedPages {
  #unread = 0
  #recognised = 0
  readonly #recogniser: TextRecogniser | undefined

  constructor(recogniser: TextRecogniser | undefined) {
    this.#recogniser = recogniser
  }

  async read(page: PdfPage): Promise<string> {
    if (!this.#recogniser || this.#recognised >= MOST_OCR_PAGES) {
      this.#unread++
      return ''
    }
    const images = await pdfPageImages(page)
    const texts: string[] = []
    for (const image of images) {
      const text = await this.#recogniser.recognise(image, false)
      if (text === undefined) {
        this.#unread++
        return texts.join('\n')
      }
      texts.push(text)
    }
    if (images.length > 0) this.#recognised++
    return texts.join('\n')
  }

  note(pages: number, found: number): string | undefined {
    if (this.#recognised > 0) {
      const left = this.#unread > 0 ? `, ${this.#unread} more could not be read` : ''
      return `scanned pages whose text was recognised: ${this.#recognised}${left}`
    }
    if (found > 0) return undefined
    return `${pages} ${pages === 1 ? 'page' : 'pages'} without text, perhaps scanned`
  }
}

async function pageText(document: PdfDocument, number: number, scanned: ScannedPages): Promise<string> {
  const page = await document.getPage(number)
  const { items } = await page.getTextContent()
  const text = pdfPageText(items.filter((item) => 'str' in item))
  const read = text.trim() === '' ? await scanned.read(page) : text
  page.cleanup()
  return read
}

async function title(document: PdfDocument): Promise<{ title?: string }> {
  const info = (await document.getMetadata()).info as { Title?: unknown }
  return typeof info.Title === 'string' && info.Title.trim() !== '' ? { title: info.Title } : {}
}

/** Page by page, until there is enough text. */
export async function readPdf({ path }: ReadJob, { recogniser }: ReadTools): Promise<FileReading> {
  const document = await open(path)
  const pages = Math.min(document.numPages, MOST_PAGES)
  const scanned = new ScannedPages(recogniser)
  const sections: FileSection[] = []
  let characters = 0
  for (let page = 1; page <= pages && characters <= MOST_CHARACTERS; page++) {
    const text = await pageText(document, page, scanned)
    characters += text.length
    if (text.trim() !== '') sections.push({ text, page })
  }
  const notes = [
    scanned.note(document.numPages, sections.length),
    document.numPages > MOST_PAGES ? `only its first ${MOST_PAGES} pages were read` : undefined,
  ].filter((note) => note !== undefined)
  return { sections, ...(await title(document)), ...(notes.length > 0 && { note: notes.join('; ') }) }
}
