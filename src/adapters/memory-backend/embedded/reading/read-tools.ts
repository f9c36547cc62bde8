import type { FileReading, ReadJob } from './file-reading.ts'

export interface PixelSource {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3 | 4
  /** Degrees clockwise by which it has to be turned to stand upright. */
  readonly rotate?: number
}

/** Recognises text in the pictures of one file, as far as the time for it goes. */
export interface TextRecogniser {
  /**
   * Undefined: the time is over, or the picture cannot be decoded. Empty: there is no text. `picture` is a path, or pixels; if it `mayBePhoto`, it is
   * read only where it looks like print.
   */
  recognise(picture: string | PixelSource, mayBePhoto: boolean): Promise<string | undefined>
}

/** Reads a file that another one holds, already on the disk. Rejects as a reader does. */
export type ReadPart = (job: ReadJob) => Promise<FileReading>

/** What is read besides the plain content of a file. */
export interface ReadTools {
  readonly keepGps: boolean
  /** Undefined: text in pictures is not read. */
  readonly recogniser?: TextRecogniser
  /** Undefined: this file is itself a part of another, whose own parts are not read. */
  readonly readPart?: ReadPart
}
