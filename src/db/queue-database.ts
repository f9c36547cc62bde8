import type { fromDrizzle } from 'pg-boss'
import type { Database } from './database.ts'

/** A transaction as pg-boss wants it. Its statements differ in nothing but their values, and are long: the server prepares them once. */
export function queueDatabase(tx: Database): ReturnType<typeof fromDrizzle> {
  return {
    async executeSql(text: string, values: unknown[] = []) {
      const statement = tx._.session.prepareQuery({ sql: text, params: values }, undefined, 'job', false)
      const answer = (await statement.execute()) as unknown[] | { rows: unknown[] }
      return Array.isArray(answer) ? { rows: answer } : answer
    },
  }
}
