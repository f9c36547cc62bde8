import { pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** The admin key that the first start made because none was set; one row at most, and only its SHA-256. */
export const adminKeys = pgTable('admin_keys', {
  id: text().primaryKey(),
  hash: text().notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
})
