import { and, asc, eq, inArray, ne, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { batches } from '../../db/schema/batches.ts'
import { memories } from '../../db/schema/memories.ts'
import { messages } from '../../db/schema/messages.ts'
import { sessions } from '../../db/schema/sessions.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { MemoryScope } from '../context.ts'
import { inScope, isVisible } from './queries.ts'

const number = (expression: ReturnType<typeof sql>) => expression.mapWith(Number) as ReturnType<typeof sql<number>>
const isExpired = sql`${memories.expiresAt} is not null and ${memories.expiresAt} <= now()`

/** Of all memories of a scope; averages and sums of those in sight. */
export async function selectTotals(db: Database, scope: MemoryScope) {
  const visible = sql`filter (where ${isVisible})`
  const [row] = await db
    .select({
      visible: number(sql`count(*) ${visible}`),
      archived: number(sql`count(*) filter (where ${memories.archivedAt} is not null)`),
      expired: number(sql`count(*) filter (where ${memories.archivedAt} is null and ${isExpired})`),
      summaries: number(sql`count(*) filter (where ${isVisible} and ${memories.isSummary})`),
      users: number(sql`count(distinct ${memories.userId}) ${visible}`),
      accesses: number(sql`coalesce(sum(${memories.accessCount}) ${visible}, 0)`),
      textBytes: number(sql`coalesce(sum(octet_length(${memories.content})) ${visible}, 0)`),
      averageImportance: sql<number | null>`avg(${memories.importance}) ${visible}`,
      averageConfidence: sql<number | null>`avg(${memories.confidence}) ${visible}`,
      oldestAt: sql<Date | null>`min(${memories.createdAt}) ${visible}`.mapWith(memories.createdAt),
      newestAt: sql<Date | null>`max(${memories.createdAt}) ${visible}`.mapWith(memories.createdAt),
    })
    .from(memories)
    .where(inScope(scope))
  return row
}

export function selectTypeCounts(db: Database, scope: MemoryScope): Promise<{ type: string; count: number }[]> {
  return db
    .select({ type: memories.type, count: number(sql`count(*)`) })
    .from(memories)
    .where(and(inScope(scope), isVisible))
    .groupBy(memories.type)
    .orderBy(sql`count(*) desc`, asc(memories.type))
}

/** Files of the memories in sight. */
export async function selectFileTotals(
  db: Database,
  scope: MemoryScope,
): Promise<{ files: number; fileBytes: number }> {
  const [row] = await db
    .select({ files: number(sql`count(*)`), fileBytes: number(sql`coalesce(sum(${attachments.size}), 0)`) })
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(memories, eq(memories.sessionId, messages.sessionId))
    .where(and(inScope(scope), isVisible, eq(attachments.state, 'stored')))
  return row ?? { files: 0, fileBytes: 0 }
}

const failed = sql`${batches.state} in ('failed', 'rejected')`

/** How many memories in sight wait for the backend, and how many it did not take. What is neither, it has. */
export async function countUnready(db: Database, scope: MemoryScope): Promise<{ pending: number; failed: number }> {
  const unready = db
    .select({ id: memories.id, failed: sql<boolean>`bool_or(${failed})`.as('failed') })
    .from(batches)
    .innerJoin(memories, eq(memories.sessionId, batches.sessionId))
    .where(and(ne(batches.state, 'relayed'), inScope(scope), isVisible))
    .groupBy(memories.id)
    .as('unready')
  const [row] = await db
    .select({
      pending: number(sql`count(*) filter (where not ${unready.failed})`),
      failed: number(sql`count(*) filter (where ${unready.failed})`),
    })
    .from(unready)
  return row ?? { pending: 0, failed: 0 }
}

/** Sessions of which a batch is not relayed, and whether one never will be. */
export function selectUnready(
  db: Database,
  scope: MemoryScope,
  ids: readonly string[],
): Promise<{ id: string; failed: boolean }[]> {
  if (ids.length === 0) return Promise.resolve([])
  return db
    .select({ id: memories.id, failed: sql<boolean>`bool_or(${failed})` })
    .from(memories)
    .innerJoin(batches, eq(batches.sessionId, memories.sessionId))
    .where(and(inScope(scope), inArray(memories.id, [...ids]), ne(batches.state, 'relayed')))
    .groupBy(memories.id)
}

/** Files of memories, archived ones too, oldest first. */
export function selectFiles(
  db: Database,
  scope: MemoryScope,
  ids: readonly string[],
): Promise<{ memoryId: string; file: AttachmentRow }[]> {
  if (ids.length === 0) return Promise.resolve([])
  return db
    .select({ memoryId: memories.id, file: attachments })
    .from(memories)
    .innerJoin(sessions, eq(sessions.id, memories.sessionId))
    .innerJoin(messages, eq(messages.sessionId, sessions.id))
    .innerJoin(attachments, eq(attachments.messageId, messages.id))
    .where(and(inScope(scope), inArray(memories.id, [...ids]), eq(attachments.state, 'stored')))
    .orderBy(asc(attachments.createdAt), asc(attachments.id))
}
