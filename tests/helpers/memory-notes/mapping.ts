import type { MemoryRow } from '../../../src/domain/memories/queries.ts'
import type { FoundMemory } from '../../../src/domain/memories/search-memories.ts'
import { rounded } from '../../../src/http/dialect.ts'

export function toNote({ id, content, createdAt }: MemoryRow) {
  return { id, note: content, written: createdAt.toISOString() }
}

export function toFoundNote({ memory, combinedScore }: FoundMemory) {
  return { ...toNote(memory), rank: rounded(combinedScore) }
}
