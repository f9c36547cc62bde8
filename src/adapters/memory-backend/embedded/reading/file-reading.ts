import type { ContentKind } from '../../../../ports/memory-backend.ts'

/** A spooled file, as the reading process is told of it. */
export interface ReadJob {
  readonly path: string
  readonly kind: ContentKind
  readonly ext: string
  /** Bytes of the original; the spooled file may be only its head. */
  readonly size: number
  /** False if the spooled file ends before the original does. */
  readonly complete: boolean
}

/** What the reading process is told when it starts. */
export interface ReadSettings {
  /** Of Tesseract; empty: text in pictures is not read. */
  readonly ocrLanguages: readonly string[]
  /** Whether the place where a photo was taken is read. */
  readonly keepGps: boolean
}

/** A stretch of a file that belongs together. Without any of the places: where it stands has no number or name. */
export interface FileSection {
  readonly text: string
  /** Under which it stands in the file; the text repeats it. */
  readonly heading?: string
  /** From 1. */
  readonly page?: number
  readonly sheet?: string
  /** From 1. */
  readonly slide?: number
}

/** As it stands behind the file's name; empty for a section without a place. */
export function placeText({ page, sheet, slide }: FileSection): string {
  if (page !== undefined) return `, page ${page}`
  if (slide !== undefined) return `, slide ${slide}`
  return sheet === undefined ? '' : `, sheet ${sheet}`
}

export interface FileReading {
  /** In the order of the file. */
  readonly sections: readonly FileSection[]
  /** What the file calls itself. */
  readonly title?: string
  /** What a reader has to know of it, as a clause: "only its first 500 pages were read". */
  readonly note?: string
}

export type ReadAnswer = { readonly reading: FileReading } | { readonly unreadable: string }

/** The file cannot be read; the message is a clause that says why, for people. */
export class UnreadableFileError extends Error {
  override name = 'UnreadableFileError'
}
