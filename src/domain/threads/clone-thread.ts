import { randomUUID } from 'node:crypto'
import { type Database, inTransaction } from '../../db/database.ts'
import { type AttachmentRow, selectAttachmentsOf } from '../attachments/queries.ts'
import { sharedCopy } from '../attachments/share-objects.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { relayInBackground } from '../memories/relay-in-background.ts'
import { noteMessages } from '../observations/note-messages.ts'
import { parseInput } from '../parse-input.ts'
import { ensureScope } from '../sessions/ensure-scope.ts'
import type { MessageRow, ScopeRow } from '../sessions/queries.ts'
import type { ResolvedItem, ResolvedMessage } from '../sessions/resolve-content.ts'
import { planBatch } from '../sessions/store-batch.ts'
import { copyCurrentRecord, selectMessagesToClone } from './clone-queries.ts'
import { threadExists } from './create-thread.ts'
import { unknownThread } from './open-thread.ts'
import { insertThread, lockThread } from './queries.ts'
import { CloneThreadInput } from './schemas.ts'
import { chunksOf, storeThreadBatches, threadSessionId } from './store-exchange.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

/** So many messages are copied in one transaction. */
const MOST_MESSAGES = 10_000

export interface ClonedThread {
  readonly thread: ThreadRow
  /** Our ids of the copies, oldest first. */
  readonly messageIds: readonly string[]
}

/**
 * Copies a thread and its messages, or those that the options leave, into a new one of the same resource, as Mastra's `cloneThread` does.
 * Files are not copied but shared; observations come along if all messages do. The backend learns the copy as a conversation of its
 * own, which outlives the original: what both hold is found twice. `conflict` if there is a thread of the new id, `not_found` if the source
 * is gone, `invalid_request` for too many messages.
 */
export async function cloneThread(
  ctx: ThreadContext,
  source: ThreadRow,
  input: CloneThreadInput,
  also: AlsoStore<ClonedThread> = nothingElse,
): Promise<ClonedThread> {
  const request = parseInput(CloneThreadInput, input)
  const scope = await ensureScope(ctx, { appId: 'default', projectId: 'default' })
  const cloned = await inTransaction(ctx.services.db, async (tx) => {
    // Its deletion waits for the copy. Another resource's is none of the caller's.
    const found = await lockThread(tx, ctx.caller, source.id, 'share')
    if (!found) throw unknownThread()
    const { messages, isAll } = await selectMessagesToClone(tx, found, request, MOST_MESSAGES + 1)
    if (messages.length > MOST_MESSAGES) throw tooManyMessages()
    const thread = await insertClone(tx, ctx, found, request, messages.at(-1)?.id)
    const result = await insertCopies(tx, ctx, thread, scope, messages)
    if (isAll) await copyCurrentRecord(tx, ctx.caller, found.id, thread.id)
    await noteMessages(tx, ctx, thread)
    await recordAudit(tx, ctx, { action: 'thread.clone', target: thread.id })
    await also(tx, result)
    return result
  })
  if (cloned.thread.sessionId !== null) relayInBackground(ctx, [cloned.thread.sessionId])
  return cloned
}

async function insertClone(
  tx: Database,
  ctx: ThreadContext,
  source: ThreadRow,
  { id = randomUUID(), title, metadata }: CloneThreadInput,
  lastMessageId: string | undefined,
): Promise<ThreadRow> {
  const origin = { sourceThreadId: source.externalId, clonedAt: new Date().toISOString() }
  const thread = await insertThread(tx, ctx, {
    id: createId('thr'),
    externalId: id,
    title: title || (source.title ? `Clone of ${source.title}` : null),
    metadata: { ...metadata, clone: { ...origin, ...(lastMessageId !== undefined && { lastMessageId }) } },
  })
  if (!thread) throw threadExists()
  return thread
}

async function insertCopies(
  tx: Database,
  ctx: ThreadContext,
  thread: ThreadRow,
  scope: ScopeRow,
  messages: readonly MessageRow[],
): Promise<ClonedThread> {
  if (messages.length === 0) return { thread, messageIds: [] }
  const withFiles = messages.filter(({ content }) => content.some((item) => 'attachment_id' in item))
  const files = await selectAttachmentsOf(
    tx,
    ctx.caller,
    withFiles.map(({ id }) => id),
  )
  const copies = copiesOf(messages, new Map(files.map((file) => [file.id, file])))
  const target = { scope, sessionId: threadSessionId(thread), kind: 'thread' as const }
  const batches = chunksOf(copies, ctx.services.limits.messages).map((chunk) => planBatch(ctx, target, chunk))
  const stored = await storeThreadBatches(tx, ctx, thread, batches)
  return { thread: stored.thread, messageIds: batches.flatMap(({ rows }) => rows.map(({ id }) => id)) }
}

/** At the times at which the backend was told of the originals, so that observations, which count by them, hold for the copies. */
function copiesOf(messages: readonly MessageRow[], files: ReadonlyMap<string, AttachmentRow>): ResolvedMessage[] {
  return messages.map((message) => ({
    input: {
      role: message.role,
      sender_id: message.senderId,
      ...(message.senderName !== null && { sender_name: message.senderName }),
      timestamp: message.upstreamTimestamp,
      content: '',
      ...(message.toolCalls && { tool_calls: message.toolCalls as Record<string, unknown>[] }),
      ...(message.toolCallId !== null && { tool_call_id: message.toolCallId }),
    },
    items: message.content.flatMap((item): ResolvedItem[] => {
      if ('text' in item) return [{ type: 'text', text: item.text }]
      const file = files.get(item.attachment_id)
      return file ? [{ type: 'shared', file: sharedCopy(file) }] : []
    }),
    ...(message.tokens !== null && { tokens: message.tokens }),
    ...(message.metadata && { metadata: message.metadata }),
  }))
}

function tooManyMessages(): GatewayError {
  return new GatewayError(
    'invalid_request',
    `The thread has more than ${MOST_MESSAGES} messages, the most that one call copies. Say which with options.messageLimit or messageFilter.`,
    { details: { max_messages: MOST_MESSAGES } },
  )
}
