import { is, sql } from 'drizzle-orm'
import { type PgDatabase, type PgQueryResultHKT, PgTransaction } from 'drizzle-orm/pg-core'
import { timed } from '../observability/timings.ts'
import { readRowsQuickly } from './quick-rows.ts'
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

/** What the statements of a transaction are answered after one of them has failed. */
const TRANSACTION_ABORTED = '25P02'

/**
 * Sends several statements of one transaction together, none of which needs the outcome of another: they take one round trip. Ends when
 * all have; rejects with what made the first of them fail.
 */
export async function together(...statements: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(statements)
  const failures = results.filter((result) => result.status === 'rejected').map(({ reason }): unknown => reason)
  const cause = failures.find((failure) => sqlState(failure) !== TRANSACTION_ABORTED) ?? failures[0]
  if (cause !== undefined) throw cause
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

/**
 * A condition of a statement that stands for itself: its commit does not wait for the disk. For what may be undone by the server's fall, and is
 * found out then; whatever is committed after it and waits is durable together with it.
 */
export const WITHOUT_WAITING = sql`set_config('synchronous_commit', 'off', true) is not null`

const prepared = new WeakMap<Database, Map<object, unknown>>()
/** By the dialect, which a handle shares with its transactions. */
const templates = new WeakMap<object, Map<object, unknown>>()

/**
 * Declares a statement that is built once: building a query costs several times what running it does. The server, too, prepares it but
 * once a connection, so that its text must be the same whatever its values. `build` must end in `.prepare(name)`.
 */
export function preparedOn<T extends object>(build: (db: Database) => T): (db: Database) => T {
  const make = (db: Database) => readRowsQuickly(build(db))
  return (db) => (is(db, PgTransaction) ? inTransactionOf(db, build, make) : once(prepared, db, build, () => make(db)))
}

/** A transaction lives too shortly to build anything for it: it gets a copy of what was built for another, with its own client. */
function inTransactionOf<T extends object>(tx: Database, name: object, make: (db: Database) => T): T {
  const { session, dialect } = tx as unknown as { session: { client: unknown }; dialect: object }
  const template = once(templates, dialect, name, () => make(tx))
  const own: object = Object.create(Object.getPrototypeOf(template) as object)
  return Object.assign(own, template, { client: session.client })
}

function once<K extends object, T>(cache: WeakMap<K, Map<object, unknown>>, key: K, name: object, make: () => T): T {
  let made = cache.get(key)
  if (!made) cache.set(key, (made = new Map()))
  let value = made.get(name) as T | undefined
  if (value === undefined) made.set(name, (value = make()))
  return value
}
