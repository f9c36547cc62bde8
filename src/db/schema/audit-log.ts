import { bigint, index, pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

export const auditActions = [
  'user.create',
  'user.erase',
  'key.create',
  'key.revoke',
  'messages.add',
  'session.flush',
  'session.delete',
  'resource.add',
  'resource.update',
  'resource.delete',
  'operation.retry',
  'account.create',
  'account.update',
  'admin_key.create',
  'api_key.create',
  'api_key.rotate',
  'api_key.revoke',
  'memory.add',
  'memory.update',
  'memory.archive',
  'memory.delete',
  'transcript.write',
  'transcript.delete',
  'state.write',
  'state.delete',
  'thread.create',
  'thread.update',
  'thread.delete',
  'thread.clone',
  'settings.update',
  'webhook.create',
  'webhook.update',
  'webhook.delete',
  'access',
] as const
export type AuditAction = (typeof auditActions)[number]

/** Who did what with which result; never content. Rows are only added: a trigger refuses to change or delete one. */
export const auditLog = pgTable(
  'audit_log',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant('at').notNull().defaultNow(),
    requestId: text('request_id').notNull(),
    /** Null for the operator, and for the gateway itself. */
    userId: text('user_id'),
    /** Which of the user's or account's keys, or `admin`. */
    keyId: text('key_id'),
    action: text({ enum: auditActions }).notNull(),
    /** Our id of what it was done to. */
    target: text().notNull(),
    /** `denied`: it was another user's. */
    result: text({ enum: ['done', 'denied'] }).notNull(),
    /** Bytes stored or deleted, where there were any. */
    bytes: bigint({ mode: 'number' }),
  },
  (table) => [index('audit_log_at_idx').on(table.at), index('audit_log_user_id_at_idx').on(table.userId, table.at)],
)
