import { fileTypeFromBuffer, fileTypeFromFile } from 'file-type'
import type { SpooledFile } from '../../ports/object-store.ts'
import { isAudioOnlyMp4, isAudioOnlyWebm } from './container-tracks.ts'
import { decodeText, detectMarkup, detectPlainText } from './detect-text.ts'
import { type FileType, fileTypes } from './file-types.ts'
import { openSpooled, type ReadAt } from './read-at.ts'

export { isCompatible } from './file-types.ts'

/** Less would do for most types, not for office files and TIFF. */
const headBytes = 64 * 1024
const zipMagic = 0x504b0304

/** By the extension that file-type gives. */
const byMagic: Readonly<Record<string, FileType>> = {
  ...fileTypes,
  apng: fileTypes.png,
  tif: fileTypes.tiff,
  m4b: fileTypes.m4a,
  f4a: fileTypes.m4a,
  oga: fileTypes.ogg,
}

/**
 * The type of a file by its content, or undefined if the gateway does not take such files. `name` only tells kinds of
 * plain text apart. No content makes it throw or take long; a file that cannot be read does make it throw.
 */
export async function detectFileType(file: SpooledFile, name: string): Promise<FileType | undefined> {
  await using source = await openSpooled(file)
  return await detect(file, source.readAt, name)
}

async function detect(file: SpooledFile, readAt: ReadAt, name: string): Promise<FileType | undefined> {
  if (file.size === 0) return fileTypes.txt
  const head = await readAt(0, headBytes)
  const complete = head.length >= file.size
  const ext = await sniff(file, head)
  const text = decodeText(head, complete)
  if (text !== undefined) {
    // Words like "BMW", "GIF" or "MZ" open binary formats, but those hold bytes that text has not.
    if (ext === 'pdf' || ext === 'rtf') return fileTypes[ext]
    return (
      detectMarkup(head.toString('latin1').replace(/^\xef\xbb\xbf/, ''), name) ?? detectPlainText(text, complete, name)
    )
  }
  if (ext === undefined || ext === 'xml')
    return head.includes(0) ? undefined : detectMarkup(head.toString('latin1'), name)
  if (ext === 'webm') return isAudioOnlyWebm(head) ? fileTypes.webm : undefined
  if (ext === 'mp4') return (await isAudioOnlyMp4(readAt, file.size)) ? fileTypes.m4a : undefined
  return Object.hasOwn(byMagic, ext) ? byMagic[ext] : undefined
}

async function sniff(file: SpooledFile, head: Buffer): Promise<string | undefined> {
  const isZip = head.length >= 4 && head.readUInt32BE(0) === zipMagic
  try {
    // Which kind of zip it is may show anywhere in the file.
    if (isZip) return (await (file.bytes ? fileTypeFromBuffer(file.bytes) : fileTypeFromFile(file.path)))?.ext
    return (await fileTypeFromBuffer(head))?.ext
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error
    return undefined
  }
}
