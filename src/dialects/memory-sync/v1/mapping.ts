import type { DeletedWithFacts } from '../../../domain/memories/delete-with-facts.ts'
import type { MemoryRow } from '../../../domain/memories/queries.ts'
import type { FoundState, StateRow } from '../../../domain/state/queries.ts'
import type { TurnRow } from '../../../domain/transcripts/queries.ts'

/** The id of a turn or a value; both count for themselves. */
export const shownId = (id: number) => `h_${id}`

/** Ids of memories, which are numbers, in a list of texts. */
export const factIds = (facts: readonly MemoryRow[]) => facts.map(({ number }) => String(number))

/** What was deleted, and the memories that went with it. */
export function toDeleted({ ids, facts }: DeletedWithFacts) {
  return { deleted_ids: ids.map(shownId), deleted_fact_ids: factIds(facts) }
}

export function toTurn(row: TurnRow) {
  return {
    id: shownId(row.id),
    session_id: row.sessionId,
    role: row.role,
    content: row.content,
    seq: row.seq,
    occurred_at: row.occurredAt?.toISOString() ?? null,
    payload: row.payload,
    source: row.source,
    created_at: row.createdAt.toISOString(),
  }
}

export function toStateItem(row: StateRow) {
  return {
    id: shownId(row.id),
    namespace: row.namespace,
    key: row.key,
    value: row.value,
    text: row.text,
    source: row.source,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
}

export function toFoundState(row: FoundState) {
  return { ...toStateItem(row), score: row.score }
}
