import type { SystemContext } from '../context.ts'
import { type AttachmentRow, deleteAttachmentRow } from './queries.ts'

/**
 * Deletes the objects of attachments that are `deleting`, then their rows. An object that cannot be deleted now keeps its row:
 * the sweeper tries again. Returns how many are gone.
 */
export async function deleteObjects(ctx: SystemContext, doomed: readonly AttachmentRow[]): Promise<number> {
  let gone = 0
  for (const attachment of doomed) {
    try {
      await ctx.services.objectStore.delete(attachment.objectKey)
      await deleteAttachmentRow(ctx.services.db, attachment.id)
      gone++
    } catch (error) {
      ctx.log.warn({ err: error, attachmentId: attachment.id }, 'object not deleted, the sweeper will try again')
    }
  }
  return gone
}
