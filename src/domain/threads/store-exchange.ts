import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../db/database.ts'
import { isDatabaseAway } from '../../db/sql-state.ts'
import { SharedObjectGone, shareObjects } from '../attachments/share-objects.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { relayInBackground } from '../memories/relay-in-background.ts'
import { noteMessages } from '../observations/note-messages.ts'
import { ensureScope } from '../sessions/ensure-scope.ts'
import type { ResolvedMessage } from '../sessions/resolve-content.ts'
import {
  bytesOf,
  type PlannedBatch,
  planBatch,
  type StoredBatch,
  storeBatches,
  storePlanned,
} from '../sessions/store-batch.ts'
import { flushWhenQuiet } from './flush-thread.ts'
import { unknownThread } from './open-thread.ts'
import { areStored, changeThread } from './queries.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

/** What cannot be stored for so long is given up. */
const GIVE_UP_MS = 60_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** Of one batch: it is written, and read for the backend, in one piece. */
const MOST_CHARACTERS = 1024 * 1024

/**
 * Stores messages of a thread, all or none, and has the backend learn them meanwhile; again and again, as long as the database or the
 * object store is away. Rejects when it gives up, or the thread was deleted.
 */
export async function storeExchange(
  ctx: ThreadContext,
  thread: ThreadRow,
  messages: readonly ResolvedMessage[],
): Promise<void> {
  const { events, exchanges } = ctx.services
  const deadline = Date.now() + GIVE_UP_MS
  const attempted: string[] = []
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      const { sessionId } = await storeMessages(ctx, thread, messages, { attempted })
      events.exchangeStored()
      return relayInBackground(ctx, [sessionId])
    } catch (error) {
      if (error instanceof StoredBefore) return events.exchangeStored()
      const { ending } = exchanges
      if (!mayHelpToRepeat(error) || Date.now() + pause > deadline || ending.aborted) throw error
      ctx.log.warn({ err: error, threadId: thread.id }, 'exchange not stored yet, it is tried again')
      // Cut short by the end of the process, which leaves one more attempt.
      await sleep(pause, undefined, { signal: ending }).catch(() => {})
    }
  }
}

/** An attempt whose commit was not heard of had succeeded. */
class StoredBefore extends Error {}

function mayHelpToRepeat(error: unknown): boolean {
  if (error instanceof SharedObjectGone) return true
  return isDatabaseAway(error) || (error instanceof GatewayError && error.code === 'unavailable')
}

export interface StoredMessages {
  /** Our id of the thread's session. */
  readonly sessionId: string
  readonly rows: PlannedBatch['rows']
}

/** One attempt at it. `attempted` are the batches of the attempts before; this one's are added. */
export async function storeMessages(
  ctx: ThreadContext,
  thread: ThreadRow,
  messages: readonly ResolvedMessage[],
  { attempted = [], also = nothingElse }: { attempted?: string[]; also?: AlsoStore<StoredMessages> },
): Promise<StoredMessages> {
  const scope = await ensureScope(ctx, { appId: 'default', projectId: 'default' })
  const target = { scope, sessionId: threadSessionId(thread), kind: 'thread' as const }
  const shared = await shareObjects(ctx, messages)
  const batches = chunksOf(shared, ctx.services.limits.messages, lengthOf).map((chunk) => planBatch(ctx, target, chunk))
  const before = attempted.splice(0, attempted.length)
  attempted.push(...before, ...batches.map(({ id }) => id))
  return storeBatches(ctx, batches, async (tx) => {
    // Locks the thread: its deletion, and other exchanges of it, come before or after this one.
    const locked = await changeThread(tx, ctx.caller, thread.id, {})
    if (!locked) throw unknownThread()
    if (before.length > 0 && (await areStored(tx, ctx.caller, before))) throw new StoredBefore()
    const { sessionId } = await storeThreadBatches(tx, ctx, locked, batches)
    await noteMessages(tx, ctx, thread)
    const stored = { sessionId, rows: batches.flatMap(({ rows }) => rows) }
    await also(tx, stored)
    return stored
  })
}

/** Within a transaction that has locked the thread. There is one batch at least. Resolves with the thread, and our id of its session. */
export async function storeThreadBatches(
  tx: Database,
  ctx: ThreadContext,
  thread: ThreadRow,
  batches: readonly PlannedBatch[],
): Promise<{ thread: ThreadRow; sessionId: string }> {
  let last: StoredBatch | undefined
  for (const batch of batches) {
    // On PGlite, statements hold up the whole process.
    if (last) await setImmediate()
    const stored = await storePlanned(tx, ctx, batch)
    await recordAudit(tx, ctx, { action: 'messages.add', target: stored.id, bytes: bytesOf(stored) })
    last = stored
  }
  if (!last) throw new Error('There is nothing to store.')
  const sessionId = last.session.id
  await flushWhenQuiet(tx, ctx, sessionId)
  if (thread.sessionId === sessionId) return { thread, sessionId }
  const changed = await changeThread(tx, ctx.caller, thread.id, { sessionId })
  if (!changed) throw unknownThread()
  return { thread: changed, sessionId }
}

/** The `session_id` of a thread's messages. */
export function threadSessionId({ externalId }: Pick<ThreadRow, 'externalId'>): string {
  return `thread:${externalId}`
}

/** Of at most so many items, and not more than have `MOST_CHARACTERS` together, but for the last of each. */
export function chunksOf<T>(items: readonly T[], size: number, charactersOf: (item: T) => number = () => 0): T[][] {
  const chunks: T[][] = []
  let [chunk, characters]: [T[], number] = [[], 0]
  for (const item of items) {
    if (chunk.length === 0) chunks.push(chunk)
    chunk.push(item)
    characters += charactersOf(item)
    if (chunk.length === size || characters > MOST_CHARACTERS) [chunk, characters] = [[], 0]
  }
  return chunks
}

function lengthOf({ input, items }: ResolvedMessage): number {
  const calls = JSON.stringify(input.tool_calls ?? []).length
  return items.reduce((sum, item) => sum + (item.type === 'text' ? item.text.length : 0), calls)
}
