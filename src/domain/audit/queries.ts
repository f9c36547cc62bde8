import { and, eq, ne, or, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { auditLog } from '../../db/schema/audit-log.ts'
import { batches } from '../../db/schema/batches.ts'
import { memories } from '../../db/schema/memories.ts'
import { userKeys } from '../../db/schema/user-keys.ts'
import { userResources } from '../../db/schema/user-resources.ts'
import { users } from '../../db/schema/users.ts'
import type { MemoryScope, Owner } from '../context.ts'

export type AuditRow = typeof auditLog.$inferInsert

const auditStatement = preparedOn((db) =>
  db
    .insert(auditLog)
    .values({
      requestId: sql.placeholder('requestId'),
      userId: sql.placeholder('userId'),
      keyId: sql.placeholder('keyId'),
      action: sql.placeholder('action'),
      target: sql.placeholder('target'),
      result: sql.placeholder('result'),
      bytes: sql.placeholder('bytes'),
    })
    .prepare('insert_audit'),
)

export async function insertAudit(db: Database, row: AuditRow): Promise<void> {
  await auditStatement(db).execute({ userId: null, keyId: null, bytes: null, ...row })
}

export async function insertAudits(db: Database, rows: readonly AuditRow[]): Promise<void> {
  if (rows.length > 0) await db.insert(auditLog).values([...rows])
}

/** What a caller names it by, whose it is, and our id of it. */
const TARGETS = {
  attachment: { name: attachments.id, owner: attachments.userId, id: attachments.id },
  key: { name: userKeys.id, owner: userKeys.userId, id: userKeys.id },
  memory: { name: memories.id, owner: memories.userId, id: memories.id },
  operation: { name: batches.id, owner: batches.userId, id: batches.id },
  resource: { name: userResources.id, owner: userResources.userId, id: userResources.id },
  user: { name: users.externalId, owner: users.id, id: users.id },
} as const
export type TargetKind = keyof typeof TARGETS

/** System scope: our id of what is another user's; undefined if it is nobody's, or the owner's own. */
export async function findForeign(
  db: Database,
  owner: Owner,
  kind: TargetKind,
  given: string,
): Promise<string | undefined> {
  const { name, owner: whose, id } = TARGETS[kind]
  const [row] = await db
    .select({ id })
    .from(id.table)
    .where(and(eq(name, given), ne(whose, owner.userId)))
    .limit(1)
  return row?.id
}

/** System scope: our id of a memory, by its id or number, that is outside of the scope; undefined if it is nobody's, or within it. */
export async function findForeignMemory(
  db: Database,
  scope: MemoryScope,
  by: string | number,
): Promise<string | undefined> {
  const [row] = await db
    .select({ id: memories.id })
    .from(memories)
    .where(
      and(
        typeof by === 'number' ? eq(memories.number, by) : eq(memories.id, by),
        or(
          ne(memories.accountId, scope.accountId),
          ne(memories.projectId, scope.projectId),
          scope.userId === undefined ? undefined : ne(memories.userId, scope.userId),
        ),
      ),
    )
    .limit(1)
  return row?.id
}
