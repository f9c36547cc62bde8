import { type Database, inTransaction } from '../../db/database.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { selectSignals } from './history-queries.ts'
import { importanceOf, SIGNALS_RECOUNTED } from './importance.ts'
import { lockForImportance, selectPlaces, setImportances } from './importance-queries.ts'
import type { MemoryPlace } from './queries.ts'

export interface RecalculationReport {
  readonly evaluated: number
  readonly changed: number
  /** Of those evaluated, afterwards; null if there were none. */
  readonly averageImportance: number | null
}

const PAGE = 200
const DAY_MS = 86_400_000
/** The column has no finer steps, and nothing depends on any. */
const STEP = 1e-4

/** Computes the importance of memories anew (`importance.ts`), in pages. Doing it twice changes nothing more but for the time between. */
export async function recalculateImportance(
  ctx: ServiceContext,
  scope: MemoryScope,
  also: AlsoStore<RecalculationReport> = nothingElse,
): Promise<RecalculationReport> {
  const { db } = ctx.services
  let after: MemoryPlace | undefined
  let [evaluated, changed, sum] = [0, 0, 0]
  for (;;) {
    ctx.signal.throwIfAborted()
    const page = await selectPlaces(db, scope, { after, limit: PAGE })
    const ids = page.map(({ id }) => id)
    const done = await inTransaction(db, (tx) => recalculatePage(tx, scope, ids))
    evaluated += done.evaluated
    changed += done.changed
    sum += done.sum
    after = page.at(-1)
    if (page.length < PAGE) break
  }
  const done = { evaluated, changed, averageImportance: evaluated === 0 ? null : sum / evaluated }
  await inTransaction(db, (tx) => also(tx, done))
  return done
}

async function recalculatePage(tx: Database, scope: MemoryScope, ids: readonly string[]) {
  const rows = await lockForImportance(tx, scope, ids)
  const signals = await selectSignals(tx, rows, SIGNALS_RECOUNTED)
  const now = Date.now()
  const values = rows.map((row) => ({
    id: row.id,
    userId: row.userId,
    before: row.importance,
    importance: importanceOf({
      base: row.base ?? row.importance,
      accessCount: row.accessCount,
      idleDays: (now - (row.lastAccessedAt ?? row.createdAt).getTime()) / DAY_MS,
      signals: signals.get(row.id) ?? [],
    }),
  }))
  const changed = values.filter(({ before, importance }) => Math.abs(before - importance) > STEP)
  await setImportances(tx, changed)
  return {
    evaluated: rows.length,
    changed: changed.length,
    sum: values.reduce((total, { importance }) => total + importance, 0),
  }
}
