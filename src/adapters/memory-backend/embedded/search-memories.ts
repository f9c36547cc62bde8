import type { Database } from '../../../db/database.ts'
import type { MemoryHit, SearchRequest } from '../../../ports/memory-backend.ts'
import { countMemories, findCandidates, readMemories, type SearchRange } from './queries.ts'
import { rank } from './text/rank.ts'
import { anyTermQuery, countTerm } from './text/text-vector.ts'
import { queryTerms, type Term } from './text/tokenise.ts'

/** Candidates that are ranked here; a multiple of the 100 that a caller may ask for. */
const MOST_CANDIDATES = 200
/** From here on it makes no difference to a rank how many memories there are. */
const MOST_COUNTED = 10_000

/** Words and pairs first; single characters, which are in nearly everything, only where those find too little. */
async function candidatesFor(db: Database, range: SearchRange, terms: readonly Term[], wanted: number) {
  const words = terms.filter(({ kind }) => kind === 'word')
  if (words.length > 0) {
    const found = await findCandidates(db, range, anyTermQuery(words), MOST_CANDIDATES)
    if (found.length >= wanted || words.length === terms.length) return found
  }
  return await findCandidates(db, range, anyTermQuery(terms), MOST_CANDIDATES)
}

export async function searchMemories(db: Database, request: SearchRequest): Promise<MemoryHit[]> {
  const terms = queryTerms(request.query)
  if (terms.length === 0) return []
  const range: SearchRange = {
    projectId: request.projectId,
    senderId: request.senderId,
    from: request.from ?? 0,
    to: request.to ?? Number.MAX_SAFE_INTEGER,
    sessionIds: request.sessionIds,
  }
  const found = await candidatesFor(db, range, terms, request.topK)
  if (found.length === 0) return []
  const documents = await countMemories(db, range, MOST_COUNTED)
  const candidates = found.map(({ id, timestamp, length, vector }) => ({
    id,
    timestamp,
    length,
    counts: terms.map(({ term }) => countTerm(vector, term)),
  }))
  const best = rank(terms, candidates, { documents, matched: found[0]?.matched ?? 0 })
    .filter(({ score }) => score >= (request.minScore ?? 0))
    .slice(0, request.topK)
  const rows = await readMemories(
    db,
    range,
    best.map(({ id }) => id),
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return best.flatMap(({ id, score }) => {
    const row = byId.get(id)
    if (!row) return []
    const { projectId, senderId, sessionId, timestamp, body: text, subject } = row
    return [
      { id, projectId, senderId, sessionId, text, subject, facts: [], score, timestamp, sourceTimestamps: [timestamp] },
    ]
  })
}
