import { type AttachmentRow, selectAttachmentsOf } from '../attachments/queries.ts'
import type { MessageRow } from '../sessions/queries.ts'
import type { ChatPart, ChatTurn, ToolCall } from './chat-turn.ts'
import { selectTail } from './recall-queries.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'
import type { ComparableTurn } from './turn-text.ts'

/** A message of a thread. */
export interface StoredTurn extends ComparableTurn {
  /** Of the message. */
  readonly id: string
  /** Unix ms. */
  readonly timestamp: number
  readonly upstreamTimestamp: number
  readonly tokens: number
  /** `provider/model` that wrote it. */
  readonly model: string | undefined
  readonly files: readonly AttachmentRow[]
}

/** The newest turns of a thread, oldest first. One query; a second one if they have files. */
export async function storedTurns(ctx: ThreadContext, thread: ThreadRow): Promise<StoredTurn[]> {
  const { id, sessionId } = thread
  if (sessionId === null) return []
  const { db, recall } = ctx.services
  const rows = await selectTail(db, ctx.caller, { id, sessionId }, recall.historyTokens)
  const withFiles = rows.filter(({ content }) => content.some((item) => 'attachment_id' in item))
  const attachments = await selectAttachmentsOf(
    db,
    ctx.caller,
    withFiles.map((row) => row.id),
  )
  return rows.map((row) => storedTurn(row, attachments))
}

/** A message as a turn; its files are those of `attachments` that it names. */
function storedTurn(row: MessageRow, attachments: readonly AttachmentRow[]): StoredTurn {
  const named = new Set(row.content.flatMap((item) => ('attachment_id' in item ? [item.attachment_id] : [])))
  return {
    id: row.id,
    role: row.role,
    text: row.content.flatMap((item) => ('text' in item ? [item.text] : [])).join('\n'),
    toolCalls: (row.toolCalls ?? []).flatMap(toolCall),
    toolCallId: row.toolCallId ?? undefined,
    timestamp: row.timestamp,
    upstreamTimestamp: row.upstreamTimestamp,
    tokens: row.tokens ?? 0,
    model: row.metadata?.model,
    files: attachments.filter(({ id }) => named.has(id)),
  }
}

/** A stored turn for a model, with those of its files that are to be given again. */
export function shownTurn(
  { role, text, toolCalls, toolCallId }: ComparableTurn,
  files: readonly ChatPart[] = [],
): ChatTurn {
  return {
    role,
    parts: [...(text.trim() === '' ? [] : [{ type: 'text' as const, text }]), ...files],
    ...(toolCalls.length > 0 && { toolCalls }),
    ...(toolCallId !== undefined && { toolCallId }),
  }
}

/** As `{ id, type: 'function', function: { name, arguments } }`; what is stored of other shape is none. */
function toolCall(stored: unknown): ToolCall[] {
  const { id, function: called } = (stored ?? {}) as {
    id?: unknown
    function?: { name?: unknown; arguments?: unknown }
  }
  const { name, arguments: given } = called ?? {}
  if (typeof id !== 'string' || typeof name !== 'string') return []
  return [{ id, name, arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}) }]
}
