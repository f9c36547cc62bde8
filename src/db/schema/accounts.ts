import { pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** Owner of users. The native API lives in the account `default`, which the first migration inserts. */
export const accounts = pgTable('accounts', {
  id: text().primaryKey(),
  name: text().notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
})
