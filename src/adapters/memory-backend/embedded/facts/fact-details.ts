import type { engineMemories } from '../../../../db/schema/index.ts'
import type { FactDetails } from '../../../../ports/memory-backend.ts'

type Row = Pick<typeof engineMemories.$inferSelect, 'factType' | 'confidence' | 'occurredAt' | 'supersededBy'>

/** What a memory says of itself as a fact; undefined if it is none. */
export function factDetails({ factType, confidence, occurredAt, supersededBy }: Row): FactDetails | undefined {
  if (factType === null) return undefined
  return {
    type: factType,
    confidence: confidence ?? 0,
    ...(occurredAt !== null && { occurredAt }),
    ...(supersededBy !== null && { supersededBy }),
  }
}
