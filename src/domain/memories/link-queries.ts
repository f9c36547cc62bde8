import { and, asc, desc, eq, gt, inArray, ne, or, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import { memoryLinks } from '../../db/schema/memory-links.ts'
import { users } from '../../db/schema/users.ts'
import type { MemoryScope, Owner } from '../context.ts'
import { inScope, isVisible, type MemoryRow } from './queries.ts'

export type LinkRow = typeof memoryLinks.$inferSelect
export type NewLink = Pick<LinkRow, 'fromId' | 'toId' | 'type' | 'confidence'> & {
  readonly metadata?: Readonly<Record<string, unknown>> | null
}

/** How the links that the gateway found by itself are told from those that a caller made. */
export const FOUND_BY_GATEWAY = { found_by: 'gateway' } as const
const isFound = sql`${memoryLinks.metadata} @> ${JSON.stringify(FOUND_BY_GATEWAY)}::jsonb`

/** What of a user's memories is compared with one another. */
export interface ComparedText extends Pick<MemoryRow, 'id' | 'importance' | 'confidence' | 'createdAt'> {
  readonly words: readonly string[]
}

/** Users of the scope who have memories in sight, in the order of their ids. */
export async function selectUsersWithMemories(
  db: Database,
  scope: MemoryScope,
  page: { after: string | undefined; limit: number },
): Promise<string[]> {
  const { after, limit } = page
  const rows = await db
    .select({ id: users.id })
    .from(users)
    .where(
      and(
        eq(users.accountId, scope.accountId),
        eq(users.projectId, scope.projectId),
        sql`${users.erasedAt} is null`,
        scope.userId === undefined ? ne(users.kind, 'native') : eq(users.id, scope.userId),
        after === undefined ? undefined : gt(users.id, after),
        sql`exists (select from ${memories} where ${memories.userId} = ${users.id} and ${isVisible})`,
      ),
    )
    .orderBy(asc(users.id))
    .limit(limit)
  return rows.map(({ id }) => id)
}

/** The newest of a user's memories in sight, without their summaries. */
export function selectTexts(
  db: Database,
  scope: MemoryScope & Owner,
  page: { limit: number; offset: number },
): Promise<ComparedText[]> {
  return db
    .select({
      id: memories.id,
      importance: memories.importance,
      confidence: memories.confidence,
      createdAt: memories.createdAt,
      words: sql<string[]>`${memories.terms}[1:${memories.wordCount}]`.mapWith(memories.terms),
    })
    .from(memories)
    .where(and(inScope(scope), isVisible, eq(memories.isSummary, false)))
    .orderBy(desc(memories.createdAt), desc(memories.id))
    .limit(page.limit)
    .offset(page.offset)
}

/** Keeps memories from going until the transaction ends; resolves with those that are there and in sight. */
export async function holdMemories(tx: Database, owner: Owner, ids: readonly string[]): Promise<Set<string>> {
  const rows = await tx
    .select({ id: memories.id })
    .from(memories)
    .where(and(eq(memories.userId, owner.userId), isVisible, inArray(memories.id, [...ids])))
    .orderBy(asc(memories.id))
    .for('key share')
  return new Set(rows.map(({ id }) => id))
}

/** Resolves with those that are new. */
export function insertLinks(tx: Database, owner: Owner, links: readonly NewLink[]): Promise<LinkRow[]> {
  if (links.length === 0) return Promise.resolve([])
  return tx
    .insert(memoryLinks)
    .values(links.map((link) => ({ ...link, userId: owner.userId })))
    .onConflictDoNothing()
    .returning()
}

/** Makes one that the gateway found the caller's own; undefined if it is a caller's already. */
export async function takeOverLink(tx: Database, owner: Owner, link: NewLink): Promise<LinkRow | undefined> {
  const [row] = await tx
    .update(memoryLinks)
    .set({ confidence: link.confidence, metadata: link.metadata ?? null, createdAt: sql`now()` })
    .where(and(eq(memoryLinks.userId, owner.userId), isSame(link), isFound))
    .returning()
  return row
}

function isSame({ fromId, toId, type }: Pick<LinkRow, 'fromId' | 'toId' | 'type'>) {
  return and(eq(memoryLinks.fromId, fromId), eq(memoryLinks.toId, toId), eq(memoryLinks.type, type))
}

/** The `similar` links of a user's memories that the gateway found. */
export function selectFoundLinks(db: Database, owner: Owner, ids: readonly string[]): Promise<LinkRow[]> {
  if (ids.length === 0) return Promise.resolve([])
  return db
    .select()
    .from(memoryLinks)
    .where(
      and(
        eq(memoryLinks.userId, owner.userId),
        inArray(memoryLinks.fromId, [...ids]),
        eq(memoryLinks.type, 'similar'),
        isFound,
      ),
    )
}

export async function deleteFoundLinks(tx: Database, owner: Owner, numbers: readonly number[]): Promise<number> {
  if (numbers.length === 0) return 0
  const rows = await tx
    .delete(memoryLinks)
    .where(and(eq(memoryLinks.userId, owner.userId), inArray(memoryLinks.number, [...numbers]), isFound))
    .returning({ number: memoryLinks.number })
  return rows.length
}

/** Those of the scope from or to one of these memories; strongest first, then as they were made. */
export function selectLinksOf(
  db: Database,
  scope: MemoryScope,
  ids: readonly string[],
  limit: number,
): Promise<LinkRow[]> {
  if (ids.length === 0) return Promise.resolve([])
  return db
    .select()
    .from(memoryLinks)
    .where(
      and(
        or(inArray(memoryLinks.fromId, [...ids]), inArray(memoryLinks.toId, [...ids])),
        // Both ends are of one user. As a condition on each link: so the indexes on its ends find it.
        sql`exists (select from ${memories} where ${memories.id} = ${memoryLinks.fromId} and ${inScope(scope)})`,
      ),
    )
    .orderBy(sql`${memoryLinks.confidence} desc nulls first`, asc(memoryLinks.number))
    .limit(limit)
}

/** Which of these memories a summary in sight speaks of already. */
export async function selectSummarised(db: Database, owner: Owner, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await db
    .selectDistinct({ id: memoryLinks.toId })
    .from(memoryLinks)
    .innerJoin(memories, eq(memories.id, memoryLinks.fromId))
    .where(
      and(
        eq(memoryLinks.userId, owner.userId),
        inArray(memoryLinks.toId, [...ids]),
        eq(memoryLinks.type, 'summary_of'),
        isVisible,
      ),
    )
  return new Set(rows.map(({ id }) => id))
}

/** So many links of one type are looked at. */
const MOST_OF_TYPE = 1_000

/** A user's links of one type, as they were made; `among`: those between two of these memories. */
export function selectLinksOfType(
  db: Database,
  owner: Owner,
  type: string,
  among?: readonly string[],
): Promise<LinkRow[]> {
  return db
    .select()
    .from(memoryLinks)
    .where(
      and(
        eq(memoryLinks.userId, owner.userId),
        eq(memoryLinks.type, type),
        among && inArray(memoryLinks.fromId, [...among]),
        among && inArray(memoryLinks.toId, [...among]),
      ),
    )
    .orderBy(asc(memoryLinks.number))
    .limit(MOST_OF_TYPE)
}
