import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackendError, type BackendFile } from '../../../../ports/memory-backend.ts'
import { ObjectNotFoundError } from '../../../../ports/object-store.ts'
import { throwIfGivenUp } from '../database-fault.ts'
import { cleanText, cutText, tidyText } from '../text/clean-text.ts'
import { type FileReading, UnreadableFileError } from './file-reading.ts'
import { MOST_CHARACTERS, readLimit } from './limits.ts'
import { createReadingProcess } from './reading-process.ts'
import { makeSpoolDirectory, sweepSpoolDirectories } from './spool-directory.ts'
import { spoolHead } from './spool-head.ts'

export interface ReaderLogger {
  warn(details: object, message: string): void
}

export interface ReaderOptions {
  /** Time for one file; the process that reads it is killed then. */
  readonly timeoutMs?: number
  /** The reading process ends after this long without a file, and gives its memory back. */
  readonly idleMs?: number
  /** Where files are spooled while they are read. */
  readonly directory?: string
}

/** What a file adds to its message. Text and title are clean. */
export interface ReadFile {
  readonly text: string
  readonly title: string
}

export interface FileReader {
  /** Never rejects for what is in the file; rejects if the original cannot be fetched now, or the caller gave up. */
  read(file: BackendFile, signal?: AbortSignal): Promise<ReadFile>
  close(): Promise<void>
}

const LONGEST_TITLE = 200

function formatSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

function describe(file: BackendFile, reading: FileReading): ReadFile {
  const name = cleanText(file.name)
  const title = cutText(cleanText(reading.title ?? '').trim(), LONGEST_TITLE)
  const notes = [reading.note]
  let text = tidyText(reading.text)
  if (text.length > MOST_CHARACTERS) {
    text = cutText(text, MOST_CHARACTERS)
    notes.push(`only its first ${MOST_CHARACTERS.toLocaleString('en')} characters were kept`)
  }
  const said = notes.filter((note) => note !== undefined).join('; ')
  const heading = said === '' ? name : `${name} (${file.ext}, ${formatSize(file.size)}; ${said})`
  return { text: text === '' ? heading : `${heading}\n${text}`, title: title === '' ? name : `${title}\n${name}` }
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

/** Reads files in one process of its own, one at a time; the first file starts it. */
export function createFileReader(options: ReaderOptions & { logger?: ReaderLogger }): FileReader {
  const process = createReadingProcess({ timeoutMs: options.timeoutMs ?? 30_000, idleMs: options.idleMs ?? 60_000 })
  const parent = options.directory ?? tmpdir()
  let swept: Promise<void> | undefined

  async function readSpooled(file: BackendFile, signal: AbortSignal | undefined): Promise<FileReading> {
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
      return await process.run({ path, kind, ext, size, complete: size <= limit.bytes }, signal)
    } catch (error) {
      throw error instanceof UnreadableFileError ? error : fetchFault(error, signal)
    } finally {
      if (directory) await rm(directory, { recursive: true, force: true })
    }
  }

  return {
    async read(file, signal) {
      try {
        return describe(file, await readSpooled(file, signal))
      } catch (error) {
        throwIfGivenUp(signal)
        if (!(error instanceof UnreadableFileError)) throw error
        options.logger?.warn(
          { kind: file.kind, ext: file.ext, size: file.size, reason: error.message },
          'a file could not be read',
        )
        return describe(file, { text: '', note: `its content could not be read: ${error.message}` })
      }
    },
    close: () => process.close(),
  }
}
