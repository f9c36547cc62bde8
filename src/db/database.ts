import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { timed } from '../observability/timings.ts'
import type * as schema from './schema/index.ts'
import { sqlState } from './sql-state.ts'

/** PostgreSQL or PGlite, or a transaction on either: the type is the port. */
export type Database = PgDatabase<PgQueryResultHKT, typeof schema>

/** Resolves with the rows. */
export type RunStatement = <Row>(statement: string) => Promise<Row[]>

/** An open database and what belongs to the process that opened it. */
export interface DatabaseConnection {
  readonly kind: 'postgres' | 'pglite'
  readonly db: Database
  /** Server version, for people. */
  readonly version: string
  /** Rejects if the database cannot answer now. */
  ping(): Promise<void>
  /**
   * Runs statements that may take hours, one after another, outside any transaction and on a connection of their own: where there is but one, the
   * embedded database, they hold up all others, and `concurrently` is left out. Where it can, an aborted `signal` ends the statement under way, which rejects.
   */
  withOwnSession<T>(work: (run: RunStatement) => Promise<T>, signal?: AbortSignal): Promise<T>
  close(): Promise<void>
}

const TRANSACTION_ATTEMPTS = 3
const DEADLOCK_OR_SERIALIZATION = new Set(['40P01', '40001'])

/**
 * Runs `work` in one transaction; again, if it was chosen to end a deadlock: `work` does nothing but database work. Inside it only
 * `tx` may be used: on PGlite, which has one connection, the outer handle waits for the transaction to end, for ever.
 */
export async function inTransaction<T>(db: Database, work: (tx: Database) => Promise<T>): Promise<T> {
  return timed('database', async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await db.transaction(work)
      } catch (error) {
        if (attempt === TRANSACTION_ATTEMPTS || !DEADLOCK_OR_SERIALIZATION.has(sqlState(error) ?? '')) throw error
      }
    }
  })
}

/** Has the queries on this handle (not those in its transactions) counted in the running request's timings. */
export function timeQueries(db: Database): void {
  const session = db._.session
  const prepareQuery = session.prepareQuery.bind(session)
  session.prepareQuery = (...args) => {
    const query = prepareQuery(...args)
    const execute = query.execute.bind(query)
    query.execute = (...values) => timed('database', () => execute(...values))
    return query
  }
}

const prepared = new WeakMap<Database, Map<object, unknown>>()

/**
 * Declares a statement that is built and prepared once per database handle: building a query costs several times
 * what running it does. `build` must end in `.prepare(name)`.
 */
export function preparedOn<T>(build: (db: Database) => T): (db: Database) => T {
  return (db) => {
    let statements = prepared.get(db)
    if (!statements) prepared.set(db, (statements = new Map()))
    let statement = statements.get(build) as T | undefined
    if (statement === undefined) statements.set(build, (statement = build(db)))
    return statement
  }
}
