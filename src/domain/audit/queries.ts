import { eq } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { auditLog } from '../../db/schema/audit-log.ts'
import { batches } from '../../db/schema/batches.ts'
import { userKeys } from '../../db/schema/user-keys.ts'
import { userResources } from '../../db/schema/user-resources.ts'
import { users } from '../../db/schema/users.ts'

export type AuditRow = typeof auditLog.$inferInsert

export async function insertAudit(db: Database, row: AuditRow): Promise<void> {
  await db.insert(auditLog).values(row)
}

const TABLES = {
  attachment: attachments.id,
  key: userKeys.id,
  operation: batches.id,
  resource: userResources.id,
  user: users.externalId,
} as const
export type TargetKind = keyof typeof TABLES

/** System scope: whether anybody has that. */
export async function isSomebodys(db: Database, kind: TargetKind, id: string): Promise<boolean> {
  const column = TABLES[kind]
  const rows = await db.select({ id: column }).from(column.table).where(eq(column, id)).limit(1)
  return rows.length > 0
}
