import type { SQL } from 'drizzle-orm'
import type { Database } from '../../../../db/database.ts'

/** Rows of a statement under the names of its columns; the two drivers wrap them differently. */
export async function rowsOf<T>(db: Database, statement: SQL): Promise<T[]> {
  const answer: unknown = await db.execute(statement)
  return (Array.isArray(answer) ? answer : (answer as { rows: unknown[] }).rows) as T[]
}

/** A list as one parameter, for `jsonb_to_recordset`. */
export function asJson(rows: readonly object[]): string {
  return JSON.stringify(rows)
}

/** As PostgreSQL reads `real[]`, and with `[` and `]` `vector`; nine digits are all that a `real` has. */
export function vectorText(vector: Float32Array, open = '{', close = '}'): string {
  return `${open}${Array.from(vector, (number) => String(Number(number.toPrecision(9)))).join(',')}${close}`
}
