import type { Database } from '../../db/database.ts'
import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext, type UserContext } from '../context.ts'
import { eraseSessions } from '../erasure/erase-memories.ts'
import { parseInput } from '../parse-input.ts'
import { ensureScope } from '../sessions/ensure-scope.ts'
import { type PlannedBatch, planBatch, storePlanned } from '../sessions/store-batch.ts'
import { externalIdOf } from '../users/queries.ts'
import { emitMemories } from '../webhooks/memory-events.ts'
import { assessText } from './assess-text.ts'
import { asOwner } from './memory-scope.ts'
import { findMemory, insertRevision, lockMatching, type MemoryRow, updateMemoryRow } from './queries.ts'
import { relayInBackground } from './relay-in-background.ts'
import { MemoryChanges } from './schemas.ts'
import { freeSessionName, moveFiles, selectFilesOf } from './session-queries.ts'
import { insertFlush, memoryMessage, memoryTarget } from './store-memories.ts'
import { termsOf } from './terms.ts'

/** Fields whose changes are kept in a memory's history, by their public names. */
export const TRACKED_FIELDS = {
  content: 'content',
  type: 'memory_type',
  confidence: 'confidence',
  importance: 'importance',
  tags: 'tags',
  metadata: 'metadata',
  source: 'source',
  eventType: 'event_type',
  expiresAt: 'expires_at',
} as const satisfies Partial<Record<keyof MemoryRow, string>>

/**
 * Changes a memory; metadata and tags are replaced as a whole. The backend learns a new text, with the
 * files that the memory has, in the place of the old one. `not_found` for a memory that is not in sight.
 */
export async function updateMemory(
  ctx: ServiceContext & { turn: Disposable },
  scope: MemoryScope,
  by: string | number,
  input: unknown,
  also: AlsoStore<MemoryRow> = nothingElse,
): Promise<MemoryRow> {
  const changes = parseInput(MemoryChanges, input)
  const found = await findMemory(ctx.services.db, scope, by)
  if (!found) throw refuseUnknownMemory(ctx, scope, by)
  const owner = asOwner(ctx, found, await externalIdOf(ctx.services.db, found))
  const backendScope = await ensureScope(owner, { appId: 'default', projectId: 'default' })
  const batch =
    changes.content === undefined
      ? undefined
      : planBatch(owner, memoryTarget(backendScope, found.id), [memoryMessage(changes.content, [])])
  const updated = await inTransaction(ctx.services.db, async (tx) => {
    const [before] = await lockMatching(tx, scope, { ids: [found.id] })
    if (!before) throw refuseUnknownMemory(ctx, scope, by)
    const isNewText = batch !== undefined && changes.content !== before.content
    const sessionId = isNewText ? await replaceSession(tx, owner, before, batch) : before.sessionId
    const derived = isNewText && changes.content !== undefined ? derivedFrom(changes.content) : {}
    const after = await updateMemoryRow(tx, before, before.id, { ...changes, ...derived, sessionId })
    await insertRevision(tx, before, { event: 'updated', diff: difference(before, after), actor: ctx.service.keyId })
    await recordAudit(tx, ctx, { action: 'memory.update', target: before.id })
    await emitMemories(tx, ctx, 'memory.updated', [after])
    await also(tx, after)
    return after
  })
  if (updated.sessionId !== found.sessionId) relayInBackground(ctx, [updated.sessionId])
  return updated
}

/** What the gateway made of the text; type, confidence and importance may be the application's, and stay. */
function derivedFrom(content: string) {
  return { ...termsOf(content), keyPoints: assessText(content).keyPoints, summary: null }
}

async function replaceSession(tx: Database, ctx: UserContext, memory: MemoryRow, batch: PlannedBatch): Promise<string> {
  const files = await selectFilesOf(tx, ctx.caller, memory.sessionId)
  const references = files.map(({ id, kind }) => ({ type: kind, attachment_id: id }))
  const rows = batch.rows.map((row) => ({ ...row, content: [...row.content, ...references] }))
  await freeSessionName(tx, ctx.caller, memory.sessionId)
  const stored = await storePlanned(tx, ctx, { ...batch, rows })
  await insertFlush(tx, ctx, stored.session.id, stored.position + 1)
  const [messageId] = stored.messageIds
  if (files.length > 0 && messageId !== undefined) {
    const ids = files.map(({ id }) => id)
    await moveFiles(tx, ctx.caller, ids, { batchId: batch.id, messageId })
  }
  await eraseSessions(tx, ctx, ctx.caller, [memory])
  return stored.session.id
}

export function difference(before: MemoryRow, after: MemoryRow): Record<string, { old: unknown; new: unknown }> {
  const fields = Object.entries(TRACKED_FIELDS) as [keyof typeof TRACKED_FIELDS, string][]
  return Object.fromEntries(
    fields
      .filter(([field]) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
      .map(([field, name]) => [name, { old: before[field], new: after[field] }]),
  )
}
