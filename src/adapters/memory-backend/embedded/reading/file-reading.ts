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

export interface FileReading {
  readonly text: string
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
