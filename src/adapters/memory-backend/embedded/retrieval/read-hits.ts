import type { Database } from '../../../../db/database.ts'
import type { MemoryHit } from '../../../../ports/memory-backend.ts'
import { factDetails } from '../facts/fact-details.ts'
import type { Partition } from '../queries.ts'
import { readMemories } from './queries.ts'
import type { RankedMemory } from './score.ts'

/** The memories themselves, in the order given; without those that were forgotten meanwhile. */
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
  return ranked.flatMap(({ id, score, parts }) => {
    const row = byId.get(id)
    if (!row) return []
    const { projectId, senderId, sessionId, timestamp, body: text, subject, speaker } = row
    const sources = row.sourceTimestamps?.map((source) => ({ sessionId, timestamp: source })) ?? [
      { sessionId, timestamp, ...(row.place && { place: row.place }) },
    ]
    const fact = factDetails(row)
    const said = {
      ...(fact && { fact }),
      ...(row.isPending && { pending: true }),
      ...(speaker !== '' && { speaker }),
      ...(explain && { explanation: parts }),
    }
    return [{ id, projectId, senderId, sessionId, text, subject, facts: [], score, timestamp, sources, ...said }]
  })
}
