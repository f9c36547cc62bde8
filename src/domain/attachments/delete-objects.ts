import { step } from '../../observability/steps.ts'
import type { SystemContext } from '../context.ts'
import { type AttachmentRow, deleteAttachmentRow, isObjectShared, touchDeleting } from './queries.ts'

const AT_ONCE = 8
/** A store that hangs must not hang who waits for it: after that no other object is tried. */
const BUDGET_MS = 5_000

/**
 * Deletes the objects of attachments that are `deleting`, then their rows; an object that another file has too stays that one's. An object that cannot be deleted now, or in time, keeps
 * its row: the sweeper tries again. Returns how many are gone.
 */
export async function deleteObjects(ctx: SystemContext, attachments: readonly AttachmentRow[]): Promise<number> {
  const waiting = [...attachments]
  const deadline = Date.now() + BUDGET_MS
  let gone = 0
  const worker = async () => {
    for (let next = waiting.pop(); next && Date.now() < deadline; next = waiting.pop()) {
      if (await deleteObject(ctx, next)) gone++
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, attachments.length) }, worker))
  return gone
}

async function deleteObject(ctx: SystemContext, attachment: AttachmentRow): Promise<boolean> {
  const { db, objectStore } = ctx.services
  try {
    // Nobody can come to share it once all its files are `deleting`: who does locks one that is stored.
    if (!(await isObjectShared(db, attachment))) {
      await objectStore.delete(attachment.objectKey)
      step('object-deleted')
    }
    await deleteAttachmentRow(db, attachment.id)
    return true
  } catch (error) {
    ctx.log.warn({ err: error, attachmentId: attachment.id }, 'object not deleted, the sweeper will try again')
    await touchDeleting(db, attachment.id).catch((failure: unknown) => {
      ctx.log.warn({ err: failure, attachmentId: attachment.id }, 'row of an object not touched')
    })
    return false
  }
}
