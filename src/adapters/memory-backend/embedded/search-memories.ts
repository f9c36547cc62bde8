import type { Database } from '../../../db/database.ts'
import type { MemoryHit, SearchRequest } from '../../../ports/memory-backend.ts'
import { queryTerms, type Term } from '../../../text/tokenise.ts'
import { countDocuments } from './document-count.ts'
import { countHolders, findCandidates, readMemories, type SearchRange } from './queries.ts'
import { type Ranked, rank } from './text/rank.ts'
import { anyTermQuery, countTerm, partitionQuery, partitionTerm } from './text/text-vector.ts'

/** Candidates that are ranked here; a multiple of the 100 that a caller may ask for. */
const MOST_CANDIDATES = 200
/** Matches among which PostgreSQL chooses the candidates, as far as rarer terms leave the choice; counting further says nothing. */
const MOST_MATCHES = 1_000
/** And where they do not. */
const MOST_SCANNED = 10_000

/**
 * The terms to look for: the rarest words, as long as they do not match too much; single characters, which are in
 * nearly everything, only where words find too little. The others still count for the rank of what is found.
 */
export function chooseTerms(terms: readonly Term[], holders: readonly number[], wanted: number): Term[] {
  const order = terms
    .map((term, index) => ({ term, held: holders[index] ?? 0 }))
    .filter(({ held }) => held > 0)
    .sort((a, b) => Number(a.term.kind === 'character') - Number(b.term.kind === 'character') || a.held - b.held)
  const chosen: Term[] = []
  let matches = 0
  for (const { term, held } of order) {
    if (matches >= wanted && (term.kind === 'character' || matches + held > MOST_MATCHES)) continue
    chosen.push(term)
    matches += held
  }
  return chosen
}

async function rankMemories(db: Database, range: SearchRange, query: string, wanted: number): Promise<Ranked[]> {
  const terms = queryTerms(query)
  if (terms.length === 0) return []
  const partition = partitionTerm(range)
  const queries = terms.map((term) => partitionQuery(partition, [term]))
  const holders = await countHolders(db, range, queries, MOST_MATCHES)
  const chosen = chooseTerms(terms, holders, wanted)
  if (chosen.length === 0) return []
  const documents = await countDocuments(db, range)
  const found = await findCandidates(db, range, {
    query: partitionQuery(partition, chosen),
    rankQuery: anyTermQuery(chosen),
    mostMatches: MOST_SCANNED,
    most: MOST_CANDIDATES,
  })
  const candidates = found.map(({ id, timestamp, length, vector }) => ({
    id,
    timestamp,
    length,
    counts: terms.map(({ term }) => countTerm(vector, term)),
  }))
  return rank(terms, candidates, { documents, holders })
}

export async function searchMemories(db: Database, request: SearchRequest): Promise<MemoryHit[]> {
  const range: SearchRange = {
    projectId: request.projectId,
    senderId: request.senderId,
    from: request.from ?? 0,
    to: request.to ?? Number.MAX_SAFE_INTEGER,
    sessionIds: request.sessionIds,
  }
  const ranked = await rankMemories(db, range, request.query, request.topK)
  const best = ranked.filter(({ score }) => score >= (request.minScore ?? 0)).slice(0, request.topK)
  if (best.length === 0) return []
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
