import type { Readable } from 'node:stream'
import { type ByteRange, ObjectNotFoundError } from '../../ports/object-store.ts'
import { refuseUnknown } from '../audit/refuse-unknown.ts'
import type { Context, SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { type AttachmentRow, findAttachment } from './queries.ts'
import { verifySha256 } from './verify-bytes.ts'

/** A stored original of the caller's. */
export async function requireAttachment(ctx: Context, id: string): Promise<AttachmentRow> {
  const attachment = await findAttachment(ctx.services.db, ctx.caller, id)
  if (!attachment) throw refuseUnknown(ctx, 'attachment', id)
  return attachment
}

/**
 * The bytes, whole or in part. A whole reading is checked against the stored hash: it fails before its end rather than
 * deliver wrong bytes as right ones.
 */
export async function openAttachment(
  ctx: SystemContext,
  attachment: AttachmentRow,
  range?: ByteRange,
): Promise<Readable> {
  try {
    const stream = await ctx.services.objectStore.get(attachment.objectKey, {
      ...(range && { range }),
      signal: ctx.signal,
    })
    return range ? stream : verifySha256(stream, attachment)
  } catch (error) {
    if (error instanceof ObjectNotFoundError) {
      throw new GatewayError('internal', 'The file is missing in the object store.', { cause: error })
    }
    throw new GatewayError('unavailable', 'The file cannot be read now. Try again later.', {
      cause: error,
      retryAfter: 5,
    })
  }
}
