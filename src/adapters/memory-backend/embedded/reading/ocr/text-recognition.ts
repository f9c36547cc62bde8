import { mkdtemp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Worker } from 'tesseract.js'
import { MOST_OCR_MS } from '../limits.ts'
import type { TextRecogniser } from '../read-tools.ts'
import { looksLikeText } from './looks-like-text.ts'
import { preparePicture } from './prepare-picture.ts'
import { languageData } from './tesseract-data.ts'
import { tidyRecognised } from './tidy-recognised.ts'

const ENLARGED = 3
/** Mean of a picture, in percent; below it, a small one is tried once more, enlarged. */
const UNSURE = 70

interface Recognised {
  readonly text: string
  readonly confidence: number
}

/** Loads Tesseract with data that are installed; nothing is fetched, and nothing kept on the disk. */
async function startTesseract(languages: readonly string[], directory: string): Promise<Worker> {
  const { createWorker, OEM } = await import('tesseract.js')
  // It looks for all languages in one directory.
  const langPath = await mkdtemp(join(directory, 'ocr-'))
  for (const language of languages) await symlink(languageData(language), join(langPath, `${language}.traineddata.gz`))
  // Unheard, its errors would be thrown where nobody can catch them; they also reject.
  const errorHandler = () => {}
  return createWorker([...languages], OEM.LSTM_ONLY, { langPath, cacheMethod: 'none', errorHandler })
}

/** Tesseract in a thread that is ended with a picture that takes too long. One picture at a time. */
export class TextRecognition {
  readonly #languages: readonly string[]
  #worker: Promise<Worker> | undefined

  constructor(languages: readonly string[]) {
    this.#languages = languages
  }

  /** For the pictures of one file, from now on; `directory` is private to the file. */
  forFile(directory: string): TextRecogniser {
    const end = performance.now() + MOST_OCR_MS
    return {
      recognise: async (picture, mayBePhoto) => {
        const prepared = await preparePicture(picture)
        if (!prepared) return undefined
        if (mayBePhoto && !looksLikeText(prepared.grey, prepared.width)) return ''
        const first = await this.#recognise(prepared.png, directory, end)
        if (!first || !prepared.isSmall || first.confidence >= UNSURE) return first?.text
        const enlarged = await preparePicture(picture, ENLARGED)
        const second = enlarged && (await this.#recognise(enlarged.png, directory, end))
        return second && second.confidence > first.confidence ? second.text : first.text
      },
    }
  }

  async #recognise(png: Buffer, directory: string, end: number): Promise<Recognised | undefined> {
    const left = end - performance.now()
    if (left <= 0) return undefined
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, left, undefined)
    })
    const working = this.#run(png, directory).catch(() => undefined)
    const found = await Promise.race([working, late])
    clearTimeout(timer)
    if (!found) this.#restart()
    return found
  }

  async #run(png: Buffer, directory: string): Promise<Recognised> {
    const worker = await (this.#worker ??= startTesseract(this.#languages, directory))
    const { data } = await worker.recognize(png, {}, { text: false, blocks: true })
    return { text: tidyRecognised(data.blocks ?? []), confidence: data.confidence }
  }

  #restart(): void {
    void this.#worker?.then((worker) => worker.terminate()).catch(() => {})
    this.#worker = undefined
  }
}
