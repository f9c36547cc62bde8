import { sql } from 'drizzle-orm'
import { fromDrizzle } from 'pg-boss'
import type { Database } from './database.ts'

/** A transaction as pg-boss wants it. Drizzle's own result type is open; at run time pg-boss takes what either driver returns. */
export function queueDatabase(tx: Database): ReturnType<typeof fromDrizzle> {
  return fromDrizzle(tx as unknown as Parameters<typeof fromDrizzle>[0], sql)
}
