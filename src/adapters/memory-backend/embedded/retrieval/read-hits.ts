import type { Database } from '../../../../db/database.ts'
import type { MemoryHit } from '../../../../ports/memory-backend.ts'
import { factDetails } from '../facts/fact-details.ts'
import type { Partition } from '../queries.ts'
import { readMemories } from './queries.ts'
import type { RankedMemory } from './score.ts'

/** What is left of the score of a fact that a newer one contradicts: it is still found, below what holds. */
const SUPERSEDED = 0.5

/** The memories themselves, best first; without those that were forgotten meanwhile. What a newer fact contradicts sinks, and its `superseded` says so. */
export async function readHits(
  db: Database,
  partition: Partition,
  ranked: readonly RankedMemory[],
  explain: boolean,
): Promise<MemoryHit[]> {
  if (ranked.length === 0) return []
  const rows = await readMemories(
    db,
    partition,
    ranked.map(({ id }) => id),
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  const hits = ranked.flatMap(({ id, score: own, parts }): MemoryHit[] => {
    const row = byId.get(id)
    if (!row) return []
    const sinks = row.supersededBy !== null
    const score = sinks ? own * SUPERSEDED : own
    const { projectId, senderId, sessionId, timestamp, body: text, subject, speaker } = row
    const sources = row.sourceTimestamps?.map((source) => ({ sessionId, timestamp: source })) ?? [
      { sessionId, timestamp, ...(row.place && { place: row.place }) },
    ]
    const fact = factDetails(row)
    const said = {
      ...(fact && { fact }),
      ...(row.isPending && { pending: true }),
      ...(speaker !== '' && { speaker }),
      ...(explain && { explanation: sinks ? { ...parts, superseded: SUPERSEDED } : parts }),
    }
    return [{ id, projectId, senderId, sessionId, text, subject, facts: [], score, timestamp, sources, ...said }]
  })
  return hits.sort((one, other) => other.score - one.score)
}
