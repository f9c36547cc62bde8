import { and, desc, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { batches } from '../../db/schema/batches.ts'
import { scopes } from '../../db/schema/scopes.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { userResources } from '../../db/schema/user-resources.ts'
import { users } from '../../db/schema/users.ts'
import type { Owner } from '../context.ts'
import type { Cursor } from '../cursor.ts'
import { operationStates } from './schemas.ts'

/** Newest first. Of the owner, or without one (system scope) of all users. */
export function selectOperations(
  db: Database,
  owner: Owner | undefined,
  status: (typeof operationStates)[number] | undefined,
  page: { cursor: Cursor | undefined; limit: number },
) {
  const createdMicros = sql<number>`(extract(epoch from ${batches.createdAt}) * 1000000)::bigint`.mapWith(Number)
  return db
    .select({
      batch: batches,
      userId: users.externalId,
      sessionId: sessions.id,
      externalSessionId: sql<string>`${sessions.externalId}`,
      resourceId: userResources.id,
      appId: scopes.appId,
      projectId: scopes.projectId,
      messageCount: sql<number>`(select count(*) from messages m where m.batch_id = ${batches.id})`.mapWith(Number),
      createdMicros,
    })
    .from(batches)
    .innerJoin(sessions, eq(sessions.id, batches.sessionId))
    .innerJoin(scopes, eq(scopes.id, sessions.scopeId))
    .innerJoin(users, eq(users.id, batches.userId))
    .leftJoin(userResources, eq(userResources.sessionId, sessions.id))
    .where(
      and(
        owner && eq(batches.userId, owner.userId),
        // Said as the index says it.
        sql`${batches.state} <> 'relayed'`,
        inArray(batches.state, status ? [status] : [...operationStates]),
        isNull(sessions.deletedAt),
        isNull(users.erasedAt),
        page.cursor && sql`(${createdMicros}, ${batches.id}) < (${page.cursor.sort}::bigint, ${page.cursor.id})`,
      ),
    )
    .orderBy(desc(batches.createdAt), desc(batches.id))
    .limit(page.limit)
}

export type OperationRow = Awaited<ReturnType<typeof selectOperations>>[number]

/** Of the owner, or without one (system scope) of any user. */
export async function findBatch(db: Database, owner: Owner | undefined, id: string) {
  const [row] = await db
    .select()
    .from(batches)
    .where(and(eq(batches.id, id), owner && eq(batches.userId, owner.userId)))
  return row
}
