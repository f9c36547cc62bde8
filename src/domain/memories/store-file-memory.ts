import { decodeText } from '../attachments/detect-text.ts'
import { detectUpload } from '../attachments/detect-upload.ts'
import { openSpooled } from '../attachments/read-at.ts'
import type { AlsoStore, UserContext } from '../context.ts'
import type { Upload } from '../sessions/resolve-content.ts'
import { MAX_CONTENT } from './schemas.ts'
import { type StoredMemory, type StoreOptions, storeMemories } from './store-memories.ts'
import { isWorthKeeping } from './worth-keeping.ts'

export interface FileToRemember {
  readonly upload: Upload
  readonly source?: string | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export type RememberedFile =
  | { readonly outcome: 'kept'; readonly stored: StoredMemory }
  | { readonly outcome: 'skipped'; readonly reason: 'no_extractable_text' | 'no_high_value_content' }

const PLAIN_TEXT = new Set(['text/plain', 'text/markdown'])
/** Of a character, in any encoding that is read here. */
const MOST_BYTES = 4

/**
 * Keeps a file as a memory. The text of a plain text file is the memory's own, up to the length that one may have; of any other the name
 * is, and the backend reads the file. An empty file is skipped, and one that says nothing.
 */
export async function storeFileMemory(
  ctx: UserContext,
  { upload, source, metadata }: FileToRemember,
  options: StoreOptions,
  also: AlsoStore<readonly StoredMemory[]>,
): Promise<RememberedFile> {
  if (upload.file.size === 0) return { outcome: 'skipped', reason: 'no_extractable_text' }
  const { type, name } = await detectUpload(upload, undefined, ctx.services.limits)
  const text = PLAIN_TEXT.has(type.mimeType) ? await readText(upload) : undefined
  if (text?.trim() === '') return { outcome: 'skipped', reason: 'no_extractable_text' }
  if (text !== undefined && !isWorthKeeping(text)) return { outcome: 'skipped', reason: 'no_high_value_content' }
  const memory = { content: text ?? name, source, metadata, eventType: 'upload' }
  // Two files of one name are two files.
  const compared = text === undefined ? {} : options
  const [stored] = await storeMemories(ctx, [{ memory, uploads: [upload] }], compared, also)
  if (!stored) throw new Error('The file was not stored.')
  return { outcome: 'kept', stored }
}

async function readText({ file }: Upload): Promise<string | undefined> {
  await using opened = await openSpooled(file)
  const bytes = Math.min(file.size, MAX_CONTENT * MOST_BYTES)
  const text = decodeText(await opened.readAt(0, bytes), bytes === file.size)
  return text?.slice(0, MAX_CONTENT).toWellFormed()
}
