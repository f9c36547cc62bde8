import { setImmediate } from 'node:timers/promises'
import { asc, sql } from 'drizzle-orm'
import { type Database, inTransaction } from '../../../db/database.ts'
import { TERMS_VERSION } from '../../../db/schema/engine-memories.ts'
import { engineMemories } from '../../../db/schema/index.ts'
import type { BackgroundProgress } from '../../../ports/memory-backend.ts'
import { signsOf } from '../../../text/text-signs.ts'
import { documentTerms, type Term } from '../../../text/tokenise.ts'
import { scopeTerms } from './text/scope-terms.ts'
import { labelledTerms, textVector } from './text/text-vector.ts'

/** Small pages: on PGlite, statements hold up the whole process. */
const ROWS_PER_PAGE = 20
const PAGES_AT_ONCE = 25

/** As the index of outdated rows says it. */
const isOutdated = sql.raw(`terms_version < ${TERMS_VERSION}`)

const words = (terms: readonly string[]): Term[] => terms.map((term) => ({ term, kind: 'word' }))

/** System job: makes a page of outdated terms anew, of whomever. Titles, and speakers of rows without one, are only in the old terms. */
function refreshPage(db: Database): Promise<number> {
  return inTransaction(db, async (tx) => {
    const { id, projectId, senderId, sessionId, timestamp, body, speaker } = engineMemories
    const columns = { id, projectId, senderId, sessionId, timestamp, body, speaker }
    const rows = await tx
      .select({ ...columns, vector: sql<string>`${engineMemories.terms}::text` })
      .from(engineMemories)
      .where(isOutdated)
      .orderBy(asc(id))
      .limit(ROWS_PER_PAGE)
      .for('update', { skipLocked: true })
    if (rows.length === 0) return 0
    const fresh = rows.map((row) => {
      const title = words(labelledTerms(row.vector, 'A'))
      const said = row.speaker === '' ? words(labelledTerms(row.vector, 'B')) : documentTerms(row.speaker)
      const fields = { title, speaker: said, body: documentTerms(row.body) }
      return {
        id: row.id,
        terms: textVector(scopeTerms(row, row, Date.now()), fields, signsOf(row.body)),
        length: fields.body.length,
      }
    })
    await tx.execute(sql`update engine_memories as m
      set terms = fresh.terms::tsvector, length = fresh.length, terms_version = ${TERMS_VERSION}
      from jsonb_to_recordset(${JSON.stringify(fresh)}::jsonb) as fresh(id text, terms text, length int)
      where m.id = fresh.id and m.terms_version < ${TERMS_VERSION}`)
    return rows.length
  })
}

/** Makes some of the terms anew that an older version made. Safe in several processes at once: each takes rows of its own. */
export async function refreshTerms(db: Database, signal?: AbortSignal): Promise<BackgroundProgress> {
  for (let page = 0; page < PAGES_AT_ONCE; page++) {
    signal?.throwIfAborted()
    if ((await refreshPage(db)) < ROWS_PER_PAGE) return { remaining: 0 }
    await setImmediate()
  }
  return { remaining: 1, againInMs: 0 }
}
