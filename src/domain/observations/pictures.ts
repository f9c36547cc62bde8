import type { Readable } from 'node:stream'
import type { ChatPicture } from '../../ports/model-provider.ts'
import { type AttachmentRow, selectAttachmentsOf } from '../attachments/queries.ts'
import type { Owner, SystemContext } from '../context.ts'
import type { MessagePicture } from './observe-by-model.ts'
import type { ObservedMessage } from './transcript.ts'

const MOST_PICTURES = 4
/** Bytes of one. They are held in memory, and sent as base64. */
const LARGEST_PICTURE = 1024 * 1024

/** The first pictures of the messages that a model can be shown. One that cannot be read is left out: its placeholder stands for it. */
export async function picturesOf(
  ctx: SystemContext,
  owner: Owner,
  messages: readonly ObservedMessage[],
): Promise<MessagePicture[]> {
  const rows = await selectAttachmentsOf(
    ctx.services.db,
    owner,
    messages.map(({ id }) => id),
  )
  const pictures: MessagePicture[] = []
  for (const [index, { id }] of messages.entries()) {
    for (const row of rows.filter(({ messageId, size }) => messageId === id && size <= LARGEST_PICTURE)) {
      const mimeType = shownType(row.mimeType)
      if (mimeType === undefined || pictures.length === MOST_PICTURES) continue
      const base64 = await readBase64(ctx, row)
      if (base64 !== undefined) pictures.push({ message: index, picture: { mimeType, base64 } })
    }
  }
  return pictures
}

function shownType(mimeType: string): ChatPicture['mimeType'] | undefined {
  switch (mimeType) {
    case 'image/png':
    case 'image/jpeg':
    case 'image/webp':
    case 'image/gif':
      return mimeType
    default:
      return undefined
  }
}

async function readBase64(ctx: SystemContext, { id, objectKey }: AttachmentRow): Promise<string | undefined> {
  try {
    const stream: Readable = await ctx.services.objectStore.get(objectKey, { signal: ctx.signal })
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString('base64')
  } catch (error) {
    ctx.signal.throwIfAborted()
    ctx.log.warn({ err: error, attachmentId: id }, 'picture not shown to the Observer: it cannot be read')
    return undefined
  }
}
