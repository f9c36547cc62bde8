import { pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** Owner of users and of service keys. The native API lives in the account `default`, which the first migration inserts. */
export const accounts = pgTable('accounts', {
  id: text().primaryKey(),
  name: text().notNull(),
  /** Name of the plan whose limits hold for the account as a whole; null: none do. */
  plan: text(),
  createdAt: instant('created_at').notNull().defaultNow(),
})
