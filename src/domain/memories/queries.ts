import { and, arrayContains, asc, desc, eq, gte, inArray, isNull, lt, lte, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import { memoryRevisions, type RevisionEvent } from '../../db/schema/memory-revisions.ts'
import { users } from '../../db/schema/users.ts'
import type { MemoryScope, Owner } from '../context.ts'
import type { Cursor } from '../cursor.ts'
import { idUnlessErased } from '../users/queries.ts'
import { isSeenBy } from './agent-view-queries.ts'
import { type MemoryTier, tierBounds } from './memory-tier.ts'
import { isMemoryName, type MemoryFilter } from './schemas.ts'

export type MemoryRow = typeof memories.$inferSelect
export type NewMemoryRow = Omit<typeof memories.$inferInsert, 'userId' | 'accountId' | 'projectId'>

/**
 * What the scope may touch. Users who are being erased are out of sight at once, before their rows are gone. All of a project are its
 * application's users: who holds a key of their own is reached by that alone.
 */
export function inScope(scope: MemoryScope): SQL | undefined {
  return and(
    eq(memories.accountId, scope.accountId),
    eq(memories.projectId, scope.projectId),
    scope.userId === undefined
      ? sql`not exists (select from ${users} where ${users.id} = ${memories.userId} and (${users.erasedAt} is not null or ${users.kind} = 'native'))`
      : eq(memories.userId, scope.userId),
  )
}

export const isVisible = and(
  isNull(memories.archivedAt),
  sql`(${memories.expiresAt} is null or ${memories.expiresAt} > now())`,
)

/** Of the column `created_at`, for cursors: microseconds. */
export const createdMicros = sql<number>`(extract(epoch from ${memories.createdAt}) * 1000000)::bigint`.mapWith(Number)

/** The place of a memory in the order of creation. */
export interface MemoryPlace {
  readonly micros: number
  readonly id: string
}

/** Younger than that; as an index on (`created_at`, `id`) has it. */
export function isBehind({ micros, id }: MemoryPlace): SQL {
  const instant = sql`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`
  return sql`(${memories.createdAt}, ${memories.id}) > (${instant}, ${id})`
}

export function matches(filter: MemoryFilter): SQL | undefined {
  const { ids, numbers, types, sources, tags, origin } = filter
  return and(
    filter.includeArchived ? undefined : isVisible,
    ids && inArray(memories.id, ids.filter(isMemoryName)),
    numbers && inArray(memories.number, numbers.filter(isMemoryName)),
    types && inArray(memories.type, [...types]),
    sources && inArray(memories.source, [...sources]),
    filter.eventType === undefined ? undefined : eq(memories.eventType, filter.eventType),
    filter.exceptEventType === undefined
      ? undefined
      : sql`${memories.eventType} is distinct from ${filter.exceptEventType}`,
    tags && tags.length > 0 ? arrayContains(memories.tags, [...tags]) : undefined,
    origin && Object.keys(origin).length > 0 ? sql`${memories.origin} @> ${JSON.stringify(origin)}::jsonb` : undefined,
    filter.agentView && isSeenBy(filter.agentView),
    filter.minConfidence === undefined ? undefined : gte(memories.confidence, filter.minConfidence),
    filter.minImportance === undefined ? undefined : gte(memories.importance, filter.minImportance),
    filter.maxImportance === undefined ? undefined : lt(memories.importance, filter.maxImportance),
    filter.since && gte(memories.createdAt, filter.since),
    filter.until && lt(memories.createdAt, filter.until),
    filter.isSummary === undefined ? undefined : eq(memories.isSummary, filter.isSummary),
    filter.tier && isOfTier(filter.tier),
  )
}

/** The conditions of `tierOf`. */
function isOfTier(tier: MemoryTier): SQL | undefined {
  const { after, until } = tierBounds(tier)
  const used = sql`greatest(${memories.createdAt}, ${memories.lastAccessedAt})`
  return and(
    after && sql`${used} > ${after.toISOString()}::timestamptz`,
    until && sql`${used} <= ${until.toISOString()}::timestamptz`,
  )
}

export async function insertMemory(
  tx: Database,
  owner: { accountId: string; projectId: string; userId: string },
  row: NewMemoryRow,
): Promise<MemoryRow> {
  const { accountId, projectId } = owner
  // Not now(), which is the same all through a transaction: what is stored together keeps its order.
  const at = sql`clock_timestamp()`
  const [inserted] = await tx
    .insert(memories)
    .values({
      ...row,
      accountId,
      projectId,
      userId: idUnlessErased(owner),
      createdAt: row.createdAt ?? at,
      updatedAt: at,
    })
    .returning()
  if (!inserted) throw new Error('The memory was not inserted.')
  return inserted
}

/** One memory in the scope that is in sight; `by` its id, or its number. */
export async function findMemory(
  db: Database,
  scope: MemoryScope,
  by: string | number,
): Promise<MemoryRow | undefined> {
  if (!isMemoryName(by)) return undefined
  const [row] = await db
    .select()
    .from(memories)
    .where(and(inScope(scope), isVisible, typeof by === 'number' ? eq(memories.number, by) : eq(memories.id, by)))
  return row
}

export interface MemoryPage {
  readonly limit: number
  readonly order: 'asc' | 'desc'
  readonly cursor?: Cursor | undefined
  readonly offset?: number | undefined
}

/** By creation. */
export function selectMemories(
  db: Database,
  scope: MemoryScope,
  filter: MemoryFilter,
  page: MemoryPage,
): Promise<(MemoryRow & { createdMicros: number })[]> {
  const { cursor } = page
  const direction = page.order === 'asc' ? asc : desc
  const beyond = page.order === 'asc' ? sql`>` : sql`<`
  return db
    .select({ memory: memories, createdMicros })
    .from(memories)
    .where(
      and(
        inScope(scope),
        matches(filter),
        cursor && sql`(${createdMicros}, ${memories.id}) ${beyond} (${cursor.sort}::bigint, ${cursor.id})`,
        // The index has instants, not their microseconds.
        cursor &&
          (page.order === 'asc' ? gte : lte)(
            memories.createdAt,
            sql`timestamptz 'epoch' + ${cursor.sort}::bigint * interval '1 microsecond'`,
          ),
      ),
    )
    .orderBy(direction(memories.createdAt), direction(memories.id))
    .limit(page.limit)
    .offset(page.offset ?? 0)
    .then((rows) => rows.map((row) => ({ ...row.memory, createdMicros: row.createdMicros })))
}

export function countMemories(db: Database, scope: MemoryScope, filter: MemoryFilter): Promise<number> {
  return db.$count(memories, and(inScope(scope), matches(filter)))
}

/** Those of them that are in the scope, archived ones too, locked in the order of their ids until the transaction ends. */
export function lockMemories(tx: Database, scope: MemoryScope, ids: readonly string[]): Promise<MemoryRow[]> {
  return tx
    .select()
    .from(memories)
    .where(and(inScope(scope), inArray(memories.id, ids.filter(isMemoryName))))
    .orderBy(asc(memories.id))
    .for('update')
}

/** Those that match, locked in the order of their ids until the transaction ends. */
export function lockMatching(tx: Database, scope: MemoryScope, filter: MemoryFilter): Promise<MemoryRow[]> {
  return tx
    .select()
    .from(memories)
    .where(and(inScope(scope), matches(filter)))
    .orderBy(asc(memories.id))
    .for('update')
}

type Changeable = Omit<typeof memories.$inferInsert, 'id' | 'userId' | 'accountId' | 'projectId'>
/** What is undefined stays as it is. */
export type MemoryChange = { readonly [F in keyof Changeable]?: Changeable[F] | undefined }

export async function updateMemoryRow(
  tx: Database,
  owner: Owner,
  memoryId: string,
  change: MemoryChange,
): Promise<MemoryRow> {
  const [row] = await tx
    .update(memories)
    .set({ ...definedIn(change), updatedAt: sql`clock_timestamp()` })
    .where(and(eq(memories.userId, owner.userId), eq(memories.id, memoryId)))
    .returning()
  if (!row) throw new Error('A locked memory is gone.')
  return row
}

function definedIn(change: MemoryChange): Partial<Changeable> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}

export async function deleteMemoryRows(tx: Database, owner: Owner, ids: readonly string[]): Promise<void> {
  await tx.delete(memories).where(and(eq(memories.userId, owner.userId), inArray(memories.id, [...ids])))
}

export interface NewRevision {
  readonly event: RevisionEvent
  readonly diff: Record<string, { old: unknown; new: unknown }>
  readonly actor: string | null
}

/** Revisions of one memory are written one after the other: lock it before. */
export function insertRevision(
  tx: Database,
  memory: Pick<MemoryRow, 'id' | 'userId'>,
  revision: NewRevision,
): Promise<void> {
  return insertRevisions(tx, [{ ...revision, memory }])
}

/** One of each of several memories. */
export async function insertRevisions(
  tx: Database,
  revisions: readonly (NewRevision & { readonly memory: Pick<MemoryRow, 'id' | 'userId'> })[],
): Promise<void> {
  if (revisions.length === 0) return
  const next = (id: string) =>
    sql<number>`(select coalesce(max(revision) + 1, 0) from ${memoryRevisions} where ${memoryRevisions.memoryId} = ${id})`
  await tx.insert(memoryRevisions).values(
    revisions.map(({ memory, ...revision }) => ({
      ...revision,
      memoryId: memory.id,
      userId: memory.userId,
      revision: next(memory.id),
    })),
  )
}

/** One writer at a time looks whether a user has a memory already, and adds it if not. Until the transaction ends. */
export async function lockUserMemories(tx: Database, owner: Owner): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`memories:${owner.userId}`}, 0))`)
}

export async function findByClientRef(db: Database, owner: Owner, clientRef: string): Promise<MemoryRow | undefined> {
  const [row] = await db
    .select()
    .from(memories)
    .where(and(eq(memories.userId, owner.userId), eq(memories.clientRef, clientRef)))
  return row
}

/** What a text without a word, or a character, that is compared says again. */
export async function findByExactText(db: Database, owner: Owner, content: string): Promise<MemoryRow | undefined> {
  const [row] = await db
    .select()
    .from(memories)
    .where(
      and(
        eq(memories.userId, owner.userId),
        isVisible,
        eq(memories.content, content),
        sql`cardinality(${memories.terms}) = 0`,
      ),
    )
    .limit(1)
  return row
}
