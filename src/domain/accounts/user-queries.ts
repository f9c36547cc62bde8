import { and, desc, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import { users } from '../../db/schema/users.ts'
import type { Cursor } from '../cursor.ts'
import { isVisible } from '../memories/queries.ts'

/** The users that an account's applications made, newest first, each with how many memories are in sight. */
export function selectEndUsers(
  db: Database,
  place: { accountId: string; projectId: string | undefined },
  page: { cursor: Cursor | undefined; limit: number },
) {
  const { cursor } = page
  const createdMicros = sql<number>`(extract(epoch from ${users.createdAt}) * 1000000)::bigint`.mapWith(Number)
  const ofUser = db
    .select({ count: sql<number>`count(*)` })
    .from(memories)
    .where(and(eq(memories.userId, users.id), isVisible))
  return db
    .select({
      id: users.id,
      projectId: users.projectId,
      kind: users.kind,
      externalId: users.externalId,
      createdAt: users.createdAt,
      memoryCount: sql<number>`(${ofUser})`.mapWith(Number),
      createdMicros,
    })
    .from(users)
    .where(
      and(
        eq(users.accountId, place.accountId),
        place.projectId === undefined ? undefined : eq(users.projectId, place.projectId),
        inArray(users.kind, ['end_user', 'owner']),
        isNull(users.erasedAt),
        cursor && sql`(${createdMicros}, ${users.id}) < (${cursor.sort}::bigint, ${cursor.id})`,
      ),
    )
    .orderBy(desc(createdMicros), desc(users.id))
    .limit(page.limit)
}

export type EndUserRow = Awaited<ReturnType<typeof selectEndUsers>>[number]
