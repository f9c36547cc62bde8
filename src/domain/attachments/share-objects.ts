import type { Database } from '../../db/database.ts'
import type { Context, Owner } from '../context.ts'
import { createObjectKey } from '../ids.ts'
import type { ResolvedItem, ResolvedMessage } from '../sessions/resolve-content.ts'
import type { DetectedUpload } from './detect-upload.ts'
import {
  type AttachmentRow,
  insertStoredFiles,
  lockOneOfEachObject,
  type NewAttachment,
  selectStored,
} from './queries.ts'

/** A file whose object is there already. */
export type SharedFile = Omit<NewAttachment, 'id' | 'batchId'>

/** What a file was to share its object with has been deleted meanwhile: it has to be put after all. */
export class SharedObjectGone extends Error {
  constructor() {
    super('The object of a shared file is gone.')
  }
}

/**
 * The same messages, in which each file that the user has stored already, or that is in them twice, is to share the one object of its
 * content. Objects are never shared between users.
 */
export async function shareObjects(ctx: Context, messages: readonly ResolvedMessage[]): Promise<ResolvedMessage[]> {
  const uploads = messages.flatMap(({ items }) => items.flatMap((item) => (item.type === 'file' ? [item.upload] : [])))
  if (uploads.length === 0) return [...messages]
  const { db, objectStore } = ctx.services
  const hashes = [...new Set(uploads.map(({ file }) => file.sha256))]
  const stored = await selectStored(db, ctx.caller, hashes)
  const known = new Map(stored.map((row) => [contentOf(row), row]))
  const share = (item: ResolvedItem): ResolvedItem => {
    if (item.type !== 'file') return item
    const { upload } = item
    const found = known.get(contentOf(upload.file))
    if (found) return { type: 'shared', file: sharedFile(upload, found) }
    const objectKey = createObjectKey()
    known.set(contentOf(upload.file), { ...upload.file, objectKey, uri: objectStore.uri(objectKey) })
    return { type: 'file', upload, objectKey }
  }
  return messages.map((message) => ({ ...message, items: message.items.map(share) }))
}

/** A stored file as one of another message. */
export function sharedCopy(row: AttachmentRow): SharedFile {
  const { uploadId, objectKey, uri, kind, mimeType, ext, name, size, sha256 } = row
  return { uploadId, objectKey, uri, kind, mimeType, ext, name, size, sha256 }
}

/**
 * Within the transaction that stores their messages: files that share objects. Their sources are locked, so that whoever deletes the last
 * of them waits, and then finds these. Throws `SharedObjectGone` if one was deleted before.
 */
export async function insertShared(
  tx: Database,
  owner: Owner,
  files: readonly (NewAttachment & { readonly messageId: string })[],
): Promise<void> {
  if (files.length === 0) return
  const wanted = new Set(files.map(({ objectKey }) => objectKey))
  if ((await lockOneOfEachObject(tx, owner, [...wanted])) < wanted.size) throw new SharedObjectGone()
  await insertStoredFiles(tx, owner, files)
}

function contentOf({ sha256, size }: { sha256: string; size: number }): string {
  return `${sha256}/${size}`
}

function sharedFile(upload: DetectedUpload, { objectKey, uri }: { objectKey: string; uri: string }): SharedFile {
  const { uploadId, type, name, file } = upload
  return { uploadId, objectKey, uri, ...type, name, size: file.size, sha256: file.sha256 }
}
