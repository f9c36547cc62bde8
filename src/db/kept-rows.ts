import type { PGlite, Transaction } from '@electric-sql/pglite'
import type { Database } from './database.ts'

/** The tables whose rows are kept, and those that a kept row is joined with. */
const WRITE =
  /\b(?:insert\s+into|update|delete\s+from|truncate)\s+(?:only\s+|table\s+)*"?(?:accounts|api_keys|users|user_keys|scopes)\b/i
const KEPT_MS = 60_000
const MOST = 10_000

interface Kept {
  readonly row: unknown
  /** Unix ms. */
  readonly until: number
}

/** Rows as they are in the database at this moment: nobody but this process writes it, and whatever it writes to their tables empties this. */
class KeptRows {
  readonly #rows = new Map<string, Kept>()
  #writes = 0

  async read<T extends object>(name: string, query: () => Promise<T | undefined>): Promise<T | undefined> {
    const kept = this.#rows.get(name)
    if (kept && kept.until > Date.now()) return kept.row as T
    const writes = this.#writes
    const row = await query()
    // Read before a write that is through by now.
    if (!row || writes !== this.#writes) return row
    if (this.#rows.size >= MOST) this.#rows.clear()
    const keptUntil = 'keptUntil' in row && row.keptUntil instanceof Date ? row.keptUntil.getTime() : Number.MAX_VALUE
    this.#rows.set(name, { row, until: Math.min(Date.now() + KEPT_MS, keptUntil) })
    return row
  }

  forget(): void {
    this.#writes++
    this.#rows.clear()
  }
}

const keptOn = new WeakMap<Database, KeptRows>()

/**
 * The row of that name, as `query` finds it, which is not asked again before anything is written to the tables of accounts, users, their keys and scopes:
 * on the embedded database, where a query holds up the process. On PostgreSQL, which other replicas write to, it is asked every time.
 * A row with `keptUntil` is kept until then at most, as another column of it changes with time. Not within a transaction that has written.
 */
export function keptRow<T extends object>(
  db: Database,
  name: string,
  query: () => Promise<T | undefined>,
): Promise<T | undefined> {
  return keptOn.get(db)?.read(name, query) ?? query()
}

const constantOn = new WeakMap<Database, Map<string, object>>()

/** The same for a row that is never changed, and goes only with its owner, who is looked up before: it is kept on PostgreSQL, too. */
export async function constantRow<T extends object>(
  db: Database,
  name: string,
  query: () => Promise<T | undefined>,
): Promise<T | undefined> {
  if (keptOn.has(db)) return keptRow(db, name, query)
  let rows = constantOn.get(db)
  if (!rows) constantOn.set(db, (rows = new Map()))
  const kept = rows.get(name)
  if (kept) return kept as T
  const row = await query()
  if (rows.size >= MOST) rows.clear()
  if (row) rows.set(name, row)
  return row
}

/** Has rows kept that are read on `db`. Whatever is written to their tables must go through `client`. */
export function keepRows(db: Database, client: PGlite): void {
  const kept = new KeptRows()
  keptOn.set(db, kept)
  watch(client, kept, () => {})
  const transaction = client.transaction.bind(client)
  client.transaction = async (work) => {
    let hasWritten = false
    const inside = (tx: Transaction) => {
      watch(tx, kept, () => (hasWritten = true))
      return work(tx)
    }
    try {
      return await transaction(inside)
    } finally {
      // Until now nobody else could read; but what was read before it began may have come in since.
      if (hasWritten) kept.forget()
    }
  }
}

/** Before a write, so that what is read until then is not kept; and after it. */
function watch(runner: Pick<PGlite, 'query' | 'exec'>, kept: KeptRows, onWrite: () => void): void {
  const [query, exec] = [runner.query.bind(runner), runner.exec.bind(runner)]
  const watched = async <T>(text: string, run: () => Promise<T>): Promise<T> => {
    if (!WRITE.test(text)) return run()
    onWrite()
    kept.forget()
    try {
      return await run()
    } finally {
      kept.forget()
    }
  }
  runner.query = (text, ...rest) => watched(text, () => query(text, ...rest))
  runner.exec = (text, ...rest) => watched(text, () => exec(text, ...rest))
}
