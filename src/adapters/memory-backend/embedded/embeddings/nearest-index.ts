import { sql } from 'drizzle-orm'
import type { Database, DatabaseConnection } from '../../../../db/database.ts'
import type { QueueLog } from './embed-queue.ts'
import { rowsOf } from './rows.ts'
import type { VectorSpace } from './vector-extension.ts'

/** Any fixed number: those that would build an index at the same time meet at it. */
const BUILD_LOCK = 7_410_250_612
/** After a failure, or while another process builds. */
const AGAIN_MS = 60_000

export type WithOwnSession = DatabaseConnection['withOwnSession']

/** The index of a vector space: made once its model has answered, best while there is little to put in; later it takes hours, in which everything else goes on. */
export class NearestIndex {
  readonly #db: Database
  readonly #withOwnSession: WithOwnSession
  readonly #log: QueueLog
  readonly #closing = new AbortController()
  #building: Promise<void> | undefined
  /** Of `performance.now()`. */
  #nextLook = 0
  #whole: string | undefined

  constructor(db: Database, withOwnSession: WithOwnSession, log: QueueLog) {
    this.#db = db
    this.#withOwnSession = withOwnSession
    this.#log = log
  }

  isWholeFor(space: VectorSpace): boolean {
    return this.#whole === space.index.name
  }

  /** Looks for it, and begins to build it if it is not there. Resolves before that ends. */
  async ensure(space: VectorSpace): Promise<void> {
    if (this.isWholeFor(space) || !space.isIndexable || this.#building || performance.now() < this.#nextLook) return
    this.#nextLook = performance.now() + AGAIN_MS
    if ((await stateOf(this.#db, space)) === 'whole') {
      this.#whole = space.index.name
      return
    }
    this.#building = this.#build(space)
      .catch((error: unknown) => {
        if (!this.#closing.signal.aborted)
          this.#log.warn({ err: error, index: space.index.name }, 'index of vectors not built')
      })
      .finally(() => (this.#building = undefined))
  }

  /** Resolves when no building is under way in this process. */
  async settled(): Promise<void> {
    await this.#building
  }

  /** Breaks off what is under way: it is begun anew by another process, or after the next start. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The memory backend is closing.'))
    await this.#building
  }

  async #build(space: VectorSpace): Promise<void> {
    await this.#withOwnSession(async (run) => {
      const [lock] = await run<{ got: boolean }>(`select pg_try_advisory_lock(${BUILD_LOCK}) as got`)
      if (!lock?.got) return
      const state = await stateOf(this.#db, space)
      // Left by a build that broke off.
      if (state === 'broken') await run(`drop index concurrently if exists ${space.index.name}`)
      if (state !== 'whole') await run(space.index.create)
      this.#whole = space.index.name
    }, this.#closing.signal)
  }
}

async function stateOf(db: Database, space: VectorSpace): Promise<'whole' | 'broken' | 'missing'> {
  const [row] = await rowsOf<{ whole: boolean }>(
    db,
    sql`select indisvalid and indisready as whole from pg_index where indexrelid = to_regclass(${space.index.name})`,
  )
  return row ? (row.whole ? 'whole' : 'broken') : 'missing'
}
