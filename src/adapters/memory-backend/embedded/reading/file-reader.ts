import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EnginePart } from '../../../../db/schema/engine-messages.ts'
import { BackendError, type BackendFile } from '../../../../ports/memory-backend.ts'
import { ObjectNotFoundError } from '../../../../ports/object-store.ts'
import { throwIfGivenUp } from '../database-fault.ts'
import type { Partition } from '../queries.ts'
import { cleanText } from '../text/clean-text.ts'
import {
  type FileReading,
  type FileSection,
  placeText,
  type ReadSettings,
  UnreadableFileError,
} from './file-reading.ts'
import { MOST_OCR_MS, readLimit } from './limits.ts'
import { createReadingPool } from './reading-pool.ts'
import { createReadingProcess } from './reading-process.ts'
import { makeSpoolDirectory, sweepSpoolDirectories } from './spool-directory.ts'
import { spoolHead } from './spool-head.ts'

export interface ReaderLogger {
  warn(details: object, message: string): void
}

export interface ReaderOptions extends Partial<ReadSettings> {
  /** Time for one file; the process that reads it is killed then. */
  readonly timeoutMs?: number
  /** The reading process ends after this long without a file, and gives its memory back. */
  readonly idleMs?: number
  /** Where files are spooled while they are read. */
  readonly directory?: string
}

export interface FileReader {
  /**
   * What a file of a partition adds to its message: one part, or one for each section. Text and titles are clean. Never rejects for what is in the file; rejects
   * if the original cannot be fetched now, or the caller gave up.
   */
  read(file: BackendFile, partition: Partition, signal?: AbortSignal): Promise<readonly [EnginePart, ...EnginePart[]]>
  close(): Promise<void>
}

const TIMEOUT_MS = 30_000
const TIMEOUT_WITH_OCR_MS = TIMEOUT_MS + MOST_OCR_MS

function formatSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** Each section with a place of its own begins with the file's name and that place; the first also with what has to be known of the file. */
function describe(file: BackendFile, { sections, title, note }: FileReading): [EnginePart, ...EnginePart[]] {
  const name = cleanText(file.name)
  const about = note === undefined ? name : `${name} (${file.ext}, ${formatSize(file.size)}; ${note})`
  const titles = title === undefined || title === name ? [name] : [title, name]
  const part = (section: FileSection, first: boolean): EnginePart => {
    const { text, heading, page, sheet, slide } = section
    const at = placeText(section)
    const head = first || at !== '' ? `${first ? about : name}${at}\n` : ''
    return {
      text: `${head}${text}`.trimEnd(),
      title: [...titles, ...(heading === undefined || heading === title ? [] : [heading])].join('\n'),
      place: {
        sha256: file.sha256,
        ...(page !== undefined && { page }),
        ...(sheet !== undefined && { sheet }),
        ...(slide !== undefined && { slide }),
      },
    }
  }
  const [first = { text: '' }, ...rest] = sections
  return [part(first, true), ...rest.map((section) => part(section, false))]
}

/** Of a file that is read whole, the bytes are checked: what changed on its way must not be remembered for ever. */
async function fetchHead(
  file: BackendFile,
  bytes: number,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  // One byte more than there should be shows a file that has grown.
  const sha256 = await spoolHead(await file.open(signal), Math.min(bytes, file.size + 1), path, signal)
  if (file.size <= bytes && sha256 !== file.sha256) {
    throw new BackendError('not_accepted', 'FILE_CHANGED', 'A file is not what it was when it was stored.')
  }
}

/** What it means that a file could not be spooled: nothing was kept, and trying again may help, unless it is gone. */
function fetchFault(error: unknown, signal: AbortSignal | undefined): Error {
  throwIfGivenUp(signal)
  if (error instanceof BackendError) return error
  if (error instanceof ObjectNotFoundError) return new UnreadableFileError('its original is missing', { cause: error })
  return new BackendError('not_accepted', 'FILE_UNAVAILABLE', 'A file could not be fetched to be read.', {
    cause: error,
  })
}

/** Reads files in processes of their own, in turns by partition; the first file starts one. */
export function createFileReader(options: ReaderOptions & { logger?: ReaderLogger }): FileReader {
  const { ocrLanguages = [], keepGps = false, idleMs = 60_000 } = options
  const timeoutMs = options.timeoutMs ?? (ocrLanguages.length > 0 ? TIMEOUT_WITH_OCR_MS : TIMEOUT_MS)
  const settings = { ocrLanguages, keepGps }
  const pool = createReadingPool(() => createReadingProcess({ timeoutMs, idleMs, settings }))
  const parent = options.directory ?? tmpdir()
  let swept: Promise<void> | undefined

  async function readSpooled(
    file: BackendFile,
    partition: Partition,
    signal: AbortSignal | undefined,
  ): Promise<FileReading> {
    const limit = readLimit(file.ext)
    if (file.size === 0) throw new UnreadableFileError('it is empty')
    if (limit.whole && file.size > limit.bytes) {
      throw new UnreadableFileError(`it is larger than ${formatSize(limit.bytes)}`)
    }
    let directory: string | undefined
    try {
      await (swept ??= sweepSpoolDirectories(parent))
      directory = await makeSpoolDirectory(parent)
      const path = join(directory, 'file')
      await fetchHead(file, limit.bytes, path, signal)
      const { kind, ext, size } = file
      return await pool.run(partition, { path, kind, ext, size, complete: size <= limit.bytes }, signal)
    } catch (error) {
      throw error instanceof UnreadableFileError ? error : fetchFault(error, signal)
    } finally {
      if (directory) await rm(directory, { recursive: true, force: true })
    }
  }

  return {
    async read(file, partition, signal) {
      try {
        return describe(file, await readSpooled(file, partition, signal))
      } catch (error) {
        throwIfGivenUp(signal)
        if (!(error instanceof UnreadableFileError)) throw error
        options.logger?.warn(
          { kind: file.kind, ext: file.ext, size: file.size, reason: error.message },
          'a file could not be read',
        )
        return describe(file, { sections: [], note: `its content could not be read: ${error.message}` })
      }
    },
    close: () => pool.close(),
  }
}
