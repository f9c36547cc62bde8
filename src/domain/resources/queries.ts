import { and, desc, eq, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { scopes } from '../../db/schema/scopes.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { type ResourceState, userResources } from '../../db/schema/user-resources.ts'
import type { Owner } from '../context.ts'
import type { Cursor } from '../cursor.ts'

export type ResourceRow = typeof userResources.$inferSelect

const columns = {
  resource: userResources,
  attachment: attachments,
  externalSessionId: sql<string>`${sessions.externalId}`,
  appId: scopes.appId,
  projectId: scopes.projectId,
  createdMicros: sql<number>`(extract(epoch from ${userResources.createdAt}) * 1000000)::bigint`.mapWith(Number),
}

export type ResourceWithFile = Awaited<ReturnType<typeof selectResources>>[number]

export async function insertResource(
  tx: Database,
  owner: Owner,
  resource: Omit<ResourceRow, 'userId' | 'error' | 'createdAt' | 'updatedAt'>,
): Promise<void> {
  await tx.insert(userResources).values({ ...resource, userId: owner.userId })
}

/** Newest first. */
export function selectResources(
  db: Database,
  owner: Owner,
  scopeId: string,
  filter: { status?: ResourceState | undefined; kind?: (typeof attachments.$inferSelect)['kind'] | undefined },
  page: { cursor: Cursor | undefined; limit: number },
) {
  return joined(db)
    .where(
      and(
        eq(userResources.userId, owner.userId),
        eq(sessions.scopeId, scopeId),
        filter.status && eq(userResources.status, filter.status),
        filter.kind && eq(attachments.kind, filter.kind),
        page.cursor &&
          sql`(${columns.createdMicros}, ${userResources.id}) < (${page.cursor.sort}::bigint, ${page.cursor.id})`,
      ),
    )
    .orderBy(desc(userResources.createdAt), desc(userResources.id))
    .limit(page.limit)
}

function joined(db: Database) {
  return db
    .select(columns)
    .from(userResources)
    .innerJoin(sessions, eq(sessions.id, userResources.sessionId))
    .innerJoin(scopes, eq(scopes.id, sessions.scopeId))
    .innerJoin(attachments, eq(attachments.id, userResources.attachmentId))
}

const resourceById = preparedOn((db) =>
  joined(db)
    .where(and(eq(userResources.userId, sql.placeholder('userId')), eq(userResources.id, sql.placeholder('id'))))
    .prepare('resource_by_id'),
)

export async function findResource(db: Database, owner: Owner, id: string): Promise<ResourceWithFile | undefined> {
  const [row] = await resourceById(db).execute({ userId: owner.userId, id })
  return row
}

export async function updateResourceText(
  db: Database,
  owner: Owner,
  id: string,
  change: { title?: string | null; description?: string | null },
): Promise<boolean> {
  const rows = await db
    .update(userResources)
    .set({ ...change, updatedAt: sql`now()` })
    .where(and(eq(userResources.userId, owner.userId), eq(userResources.id, id)))
    .returning({ id: userResources.id })
  return rows.length > 0
}

export async function setResourceStatus(
  tx: Database,
  session: { id: string; userId: string },
  change: { status: ResourceState; error: string | null },
): Promise<void> {
  await tx
    .update(userResources)
    .set({ ...change, updatedAt: sql`now()` })
    .where(and(eq(userResources.userId, session.userId), eq(userResources.sessionId, session.id)))
}

/** Removes the row of the session's resource, if it is one's. */
export async function deleteResourceOfSession(tx: Database, owner: Owner, sessionId: string): Promise<void> {
  await tx
    .delete(userResources)
    .where(and(eq(userResources.userId, owner.userId), eq(userResources.sessionId, sessionId)))
}
