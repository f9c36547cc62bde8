import { type Database, inTransaction } from '../../db/database.ts'
import type { MemoryScope, SystemContext } from '../context.ts'
import type { MemoryRow } from '../memories/queries.ts'
import { emitEvent, emitEvents, type WebhookEvent } from './emit-event.ts'
import { blankMemories } from './log-queries.ts'
import { findHearers } from './queries.ts'

/** What of a memory is its content: the rest may be known after it is gone. */
const CONTENT_FIELDS = ['text', 'summary', 'key_points', 'tags', 'metadata'] as const

/** Tells of memories that are new, or changed. */
export function emitMemories(
  tx: Database,
  ctx: SystemContext,
  type: 'memory.created' | 'memory.updated',
  memories: readonly MemoryRow[],
): Promise<void> {
  return emitOf(tx, ctx, memories, (memory) => ({ type, userId: memory.userId, data: describe(memory) }))
}

/** Tells of memories that are out of sight from now on; not what they were. Comes before they are erased: webhooks are locked before their deliveries. */
export function emitDeleted(
  tx: Database,
  ctx: SystemContext,
  memories: readonly MemoryRow[],
  how: 'deleted' | 'archived' | 'expired',
): Promise<void> {
  return emitOf(tx, ctx, memories, (memory) => ({
    type: 'memory.deleted',
    userId: memory.userId,
    data: { ...identify(memory), reason: how, deleted_at: new Date().toISOString() },
  }))
}

/** Has the log of deliveries forget what memories said that are deleted for good. An event that is still to be sent goes without it. */
export async function forgetContents(tx: Database, memories: readonly MemoryRow[]): Promise<void> {
  for (const [userId, owned] of Map.groupBy(memories, (memory) => memory.userId)) {
    await blankMemories(
      tx,
      { userId },
      owned.map(({ id }) => id),
      CONTENT_FIELDS,
    )
  }
}

/** The memories of one call are of one project, or of few. */
async function emitOf(
  tx: Database,
  ctx: SystemContext,
  memories: readonly MemoryRow[],
  toEvent: (memory: MemoryRow) => WebhookEvent,
): Promise<void> {
  for (const ofProject of Map.groupBy(memories, ({ accountId, projectId }) => `${accountId} ${projectId}`).values()) {
    const [first] = ofProject
    if (first) await emitEvents(tx, ctx, first, () => ofProject.map(toEvent))
  }
}

function identify({ id, number, type, createdAt, updatedAt }: MemoryRow) {
  return {
    id: number,
    memory_id: id,
    memory_type: type,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  }
}

function describe(memory: MemoryRow) {
  return {
    ...identify(memory),
    text: memory.content,
    summary: memory.summary,
    key_points: memory.keyPoints,
    tags: memory.tags,
    metadata: memory.metadata,
    source: memory.source,
    event_type: memory.eventType,
    importance: memory.importance,
    confidence: memory.confidence,
    is_summary: memory.isSummary,
    expires_at: memory.expiresAt?.toISOString() ?? null,
  }
}

export interface AnsweredSearch {
  readonly query: string
  readonly limit: number
  readonly found: readonly Pick<MemoryRow, 'id' | 'number'>[]
}

/** Tells of a search while its answer is on its way: nobody waits for it, and nothing fails with it. */
export function emitQueriedInBackground(ctx: SystemContext, scope: MemoryScope, search: AnsweredSearch): void {
  emitQueried(ctx, scope, search).catch((error: unknown) => {
    ctx.log.warn({ err: error }, 'webhooks not told of a search')
  })
}

async function emitQueried(ctx: SystemContext, scope: MemoryScope, search: AnsweredSearch): Promise<void> {
  const { db } = ctx.services
  if ((await findHearers(db, scope, 'memory.queried')).length === 0) return
  const { query, limit, found } = search
  const data = {
    query,
    limit,
    count: found.length,
    ids: found.map(({ number }) => number),
    memory_ids: found.map(({ id }) => id),
  }
  await inTransaction(db, (tx) => emitEvent(tx, ctx, scope, { type: 'memory.queried', userId: scope.userId, data }))
}
