import { bigint, boolean, doublePrecision, index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { accounts } from './accounts.ts'
import { instant } from './columns.ts'

export const signatureAlgorithms = ['hmac-sha256', 'hmac-sha512'] as const

/** Where an account wants to hear of events. */
export const webhooks = pgTable(
  'webhooks',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    /** Only events of this project; null: of all. */
    projectId: text('project_id'),
    name: text().notNull(),
    url: text().notNull(),
    description: text(),
    events: text().array().notNull(),
    /** Kept as it is: it signs. */
    secret: text().notNull(),
    enabled: boolean().notNull().default(true),
    signatureAlgorithm: text('signature_algorithm', { enum: signatureAlgorithms }).notNull(),
    signatureHeader: text('signature_header').notNull(),
    timestampHeader: text('timestamp_header').notNull(),
    /** Seconds. */
    signatureTolerance: integer('signature_tolerance').notNull(),
    retryEnabled: boolean('retry_enabled').notNull(),
    maxRetries: integer('max_retries').notNull(),
    /** Seconds. */
    initialDelay: integer('initial_delay').notNull(),
    /** Seconds. */
    maxDelay: integer('max_delay').notNull(),
    backoffMultiplier: doublePrecision('backoff_multiplier').notNull(),
    /** `429`, `5xx`. */
    retryStatusCodes: text('retry_status_codes').array().notNull(),
    /** The key that made it. */
    createdBy: text('created_by').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [index('webhooks_account_id_idx').on(table.accountId)],
)
