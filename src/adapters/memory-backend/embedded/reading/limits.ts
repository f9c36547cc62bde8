const KiB = 1_024
const MiB = 1_024 * KiB

export interface ReadLimit {
  /** Bytes that are read of a file. */
  readonly bytes: number
  /** True if the parser needs the end, too: longer files are not read at all. */
  readonly whole: boolean
}

const head = (bytes: number): ReadLimit => ({ bytes, whole: false })
const whole = (bytes: number): ReadLimit => ({ bytes, whole: true })

const LIMITS: Readonly<Record<string, ReadLimit>> = {
  txt: head(4 * MiB),
  md: head(4 * MiB),
  csv: head(4 * MiB),
  tsv: head(4 * MiB),
  json: head(4 * MiB),
  html: head(4 * MiB),
  rtf: head(16 * MiB),
  eml: whole(64 * MiB),
  svg: whole(2 * MiB),
  pdf: whole(100 * MiB),
  docx: whole(100 * MiB),
  pptx: whole(100 * MiB),
  xlsx: whole(100 * MiB),
}

/** By extension. Pictures and sounds are read from the disk, piece by piece. */
export function readLimit(ext: string): ReadLimit {
  return LIMITS[ext] ?? whole(256 * MiB)
}

/** Of a reading process, all in all; one that takes more is killed with its file. */
export const MOST_MEMORY_BYTES = 1_024 * MiB
/** Characters of a page, of an e-mail's or of a document in HTML; the rest says nothing that would be kept. */
export const MOST_MARKUP = 4 * MiB
export const MOST_CHARACTERS = 400_000
export const MOST_PAGES = 1_000
export const MOST_ROWS = 20_000
/** Pixels of a picture that is decoded. */
export const MOST_PIXELS = 100_000_000
/** Recognising text in the pictures of one file: time, and pages of a PDF. */
export const MOST_OCR_MS = 40_000
export const MOST_OCR_PAGES = 50
/** Pixels of a picture on a page of a PDF that is decoded: 600 dots an inch on A4. */
export const MOST_SCAN_PIXELS = 40_000_000
/** Documents attached to an e-mail that are read. */
export const MOST_ATTACHMENTS = 10
/** Of an office file: parts in the zip, bytes of the parts that are unpacked, and how many times their packed size that may be. */
export const MOST_ZIP_ENTRIES = 10_000
export const MOST_UNZIPPED_BYTES = 128 * MiB
export const MOST_ZIP_RATIO = 200
