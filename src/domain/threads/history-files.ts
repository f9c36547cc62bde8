import { openAttachment } from '../attachments/open-attachment.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { SystemContext } from '../context.ts'
import type { ChatPart } from './chat-turn.ts'
import type { StoredTurn } from './stored-turns.ts'

const MOST_FILES = 4
const MOST_BYTES = 8 * 1024 * 1024
/** What models look at or listen to themselves. */
const SHOWN_KINDS = new Set<AttachmentRow['kind']>(['image', 'audio', 'pdf'])

/**
 * Those files of the user's turns that the model is given again, by message: the newest ones that it has taken before, with the
 * turns that it answered. One that cannot be read in time is left to its placeholder.
 */
export async function historyFiles(
  ctx: SystemContext,
  history: readonly StoredTurn[],
  model: string,
): Promise<ReadonlyMap<string, readonly ChatPart[]>> {
  const chosen = newestFiles(history, model)
  const read = await Promise.all(
    chosen.map(async ({ messageId, file }) => ({ messageId, part: await readFile(ctx, file) })),
  )
  const byMessage = new Map<string, ChatPart[]>()
  for (const { messageId, part } of read) {
    if (part) byMessage.set(messageId, [...(byMessage.get(messageId) ?? []), part])
  }
  return byMessage
}

/** In the order of the history. */
function newestFiles(history: readonly StoredTurn[], model: string): { messageId: string; file: AttachmentRow }[] {
  const chosen: { messageId: string; file: AttachmentRow }[] = []
  let bytes = 0
  let answeredBy: string | undefined
  for (const turn of history.toReversed()) {
    if (turn.role === 'assistant') answeredBy = turn.model
    if (turn.role !== 'user' || answeredBy !== model) continue
    for (const file of turn.files.toReversed()) {
      if (!SHOWN_KINDS.has(file.kind) || chosen.length === MOST_FILES || bytes + file.size > MOST_BYTES) continue
      bytes += file.size
      chosen.push({ messageId: turn.id, file })
    }
  }
  return chosen.reverse()
}

async function readFile(ctx: SystemContext, file: AttachmentRow): Promise<ChatPart | undefined> {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of await openAttachment(ctx, file)) chunks.push(chunk as Buffer)
    const { kind, mimeType, name } = file
    return { type: 'file', kind, base64: Buffer.concat(chunks).toString('base64'), mimeType, name }
  } catch (error) {
    // Who ran out of time says so; who left misses nothing.
    if (!ctx.signal.aborted) {
      ctx.log.warn({ err: error, attachmentId: file.id }, 'a file of a chat was not given to the model again')
    }
    return undefined
  }
}
