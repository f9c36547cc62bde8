import type { Limits } from '../../config/config.ts'
import type { MessageMetadata } from '../../db/schema/messages.ts'
import type { SpooledFile } from '../../ports/object-store.ts'
import { type DetectedUpload, detectUpload } from '../attachments/detect-upload.ts'
import type { SharedFile } from '../attachments/share-objects.ts'
import { GatewayError } from '../errors.ts'
import type { FileItem, MessageInput } from './schemas.ts'

/** A file of the request, under the field name or a made-up id. */
export interface Upload {
  readonly uploadId: string
  readonly fileName: string | undefined
  readonly file: SpooledFile
}

export type ResolvedItem =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'file'
      readonly upload: DetectedUpload
      /** Where others of the same content expect it. */
      readonly objectKey?: string
    }
  | { readonly type: 'shared'; readonly file: SharedFile }

export interface ResolvedMessage {
  readonly input: MessageInput
  readonly items: readonly ResolvedItem[]
  /** Of messages of a thread. */
  readonly tokens?: number
  readonly metadata?: MessageMetadata
}

/** The items of all messages that name a file. */
export function fileItems(messages: readonly MessageInput[]): FileItem[] {
  return messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter((item) => item.type !== 'text'),
  )
}

/** `upload_id`s and files must match one to one. Throws `invalid_request` with the ids at fault in `details`. */
export function matchUploads(items: readonly FileItem[], fieldNames: readonly string[]): void {
  const wanted = items.map((item, index) => {
    if (item.upload_id === undefined) {
      throw new GatewayError('invalid_request', 'Each item that is not text needs an upload_id.', {
        details: { item_index: index },
      })
    }
    return item.upload_id
  })
  const faults = {
    duplicate_upload_ids: repeated(wanted),
    duplicate_files: repeated(fieldNames),
    missing_files: unique(wanted).filter((id) => !fieldNames.includes(id)),
    unreferenced_files: unique(fieldNames).filter((name) => !wanted.includes(name)),
  }
  const found = Object.entries(faults).filter(([, ids]) => ids.length > 0)
  if (found.length === 0) return
  throw new GatewayError(
    'invalid_request',
    found.map(([name, ids]) => `${EXPLAINED[name as keyof typeof faults]}: ${ids.join(', ')}.`).join(' '),
    {
      details: Object.fromEntries(found),
    },
  )
}

const EXPLAINED = {
  duplicate_upload_ids: 'Each upload_id may be used once',
  duplicate_files: 'Each file field may be sent once',
  missing_files: 'No file field was sent for the upload_id',
  unreferenced_files: 'No message refers to the file field',
}

function unique(ids: readonly string[]): string[] {
  return [...new Set(ids)]
}

function repeated(ids: readonly string[]): string[] {
  return unique(ids.filter((id, index) => ids.indexOf(id) !== index))
}

/** Puts the files, checked for their types, in the places of the items that name them. */
export async function resolveContent(
  messages: readonly MessageInput[],
  uploads: ReadonlyMap<string, Upload>,
  limits: Limits,
): Promise<ResolvedMessage[]> {
  const resolved: ResolvedMessage[] = []
  for (const input of messages) {
    if (typeof input.content === 'string') {
      resolved.push({ input, items: [{ type: 'text', text: input.content }] })
      continue
    }
    const items: ResolvedItem[] = []
    for (const item of input.content) {
      if (item.type === 'text') {
        items.push({ type: 'text', text: item.text })
        continue
      }
      const upload = uploads.get(item.upload_id ?? '')
      if (!upload) throw new Error('matchUploads was not called.')
      const named = { ...upload, fileName: item.name ?? upload.fileName }
      items.push({ type: 'file', upload: await detectUpload(named, item.type, limits) })
    }
    resolved.push({ input, items })
  }
  return resolved
}
