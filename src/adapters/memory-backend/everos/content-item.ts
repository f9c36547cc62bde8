import type { BackendFile, BackendItem } from '../../../ports/memory-backend.ts'
import { readOriginal } from './original.ts'

/** A content item ready to be sent: JSON text, or JSON text with the base64 of a file in between. */
export type ContentPart =
  | { readonly json: string }
  | { readonly before: string; readonly file: BackendFile; readonly after: string }

const INLINE_TEXT_BYTES = 256 * 1024
const PRESIGN_SECONDS = 3600
const textTypes = new Set(['text/plain', 'text/markdown', 'text/csv', 'text/tab-separated-values', 'application/json'])
/** What EverOS reads, under a name it does not know. */
const knownExtensions: Readonly<Record<string, string>> = { json: 'txt', opus: 'ogg' }
/** What EverOS refuses, and with it the whole call: it is told of the file, whose original the gateway keeps. */
const unreadableExtensions = new Set(['gif', 'heic', 'avif', 'webm'])

/** Reads small text files; leaves every other file to be streamed. */
export async function contentPart(
  item: BackendItem,
  presignAboveBytes: number | undefined,
  signal: AbortSignal,
): Promise<ContentPart> {
  if (item.type === 'text') return textPart(item.text)
  const { file } = item
  if (unreadableExtensions.has(file.ext)) {
    return textPart(`[${file.kind.toUpperCase()}: ${file.name}, ${file.mimeType}, ${file.size} bytes]`)
  }
  const text = await inlineText(file, signal)
  if (text !== undefined) return textPart(`[${file.kind.toUpperCase()}: ${file.name}]\n${text}`)
  const head = { type: file.kind, name: file.name, ext: knownExtensions[file.ext] ?? file.ext }
  const uri = await presigned(file, presignAboveBytes)
  if (uri) return { json: JSON.stringify({ ...head, uri }) }
  return { before: `${JSON.stringify(head).slice(0, -1)},"base64":"`, file, after: '"}' }
}

function textPart(text: string): ContentPart {
  return { json: JSON.stringify({ type: 'text', text }) }
}

function presigned(file: BackendFile, aboveBytes: number | undefined): Promise<string | undefined> | undefined {
  return aboveBytes !== undefined && file.size > aboveBytes ? file.presign(PRESIGN_SECONDS) : undefined
}

/** The content of a small UTF-8 text file. An empty file of any kind counts as one: EverOS refuses an empty base64. */
async function inlineText(file: BackendFile, signal: AbortSignal): Promise<string | undefined> {
  if (file.size > 0 && (file.size > INLINE_TEXT_BYTES || !textTypes.has(file.mimeType.split(';', 1)[0] ?? ''))) return
  const bytes: Buffer[] = []
  for await (const chunk of readOriginal(file, signal)) bytes.push(Buffer.from(chunk))
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(bytes))
  } catch {
    return undefined
  }
}
