import { createHash } from 'node:crypto'
import type { MemoryFile } from '../../domain/memories/memory-files.ts'
import { tierOf } from '../../domain/memories/memory-tier.ts'
import type { MemoryRow } from '../../domain/memories/queries.ts'
import type { MemoryFilter } from '../../domain/memories/schemas.ts'
import type { FoundMemory } from '../../domain/memories/search-memories.ts'
import { rounded } from '../../http/dialect.ts'
import type { QueryFilters } from './schemas.ts'

/** A user's number for clients that want one: it is always the same, and says nothing of the user. */
export function userNumber(userId: string): number {
  return createHash('sha256').update(userId).digest().readUIntBE(0, 6)
}

/** `files` are named where there are any: the gateway's addition to the API. */
export function toMemory(row: MemoryRow, files: readonly MemoryFile[] = []) {
  return {
    id: row.number,
    user_id: userNumber(row.userId),
    text: row.content,
    summary: row.summary,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    metadata: row.metadata,
    tags: row.tags,
    source: row.source,
    event_type: row.eventType,
    tier: tierOf(row),
    importance: rounded(row.importance),
    is_summary: row.isSummary,
    expires_at: row.expiresAt?.toISOString() ?? null,
    key_points: row.keyPoints,
    quality_score: null,
    memory_type: row.type,
    ...(files.length > 0 && { attachments: files.map((file) => toAttachment(row, file)) }),
  }
}

function toAttachment({ number }: MemoryRow, { id, name, mimeType, size, sha256 }: MemoryFile) {
  return { id, name, mime_type: mimeType, size, sha256, url: `/memory/${number}/files/${id}` }
}

/** What only the backend found, or what a link leads to, has no score. */
export function toFoundMemory({ memory, combinedScore }: FoundMemory, files?: readonly MemoryFile[]) {
  return { ...toMemory(memory, files), score: rounded(combinedScore) }
}

interface Skip {
  readonly reason: string
  readonly memoryIds?: readonly number[]
  readonly extracted?: number
}

/** Nothing was stored, and why. */
export function toSkip({ reason, memoryIds = [], extracted = 0 }: Skip) {
  return {
    status: 'skipped' as const,
    reason,
    memory_ids: memoryIds,
    candidates_extracted: extracted,
    candidates_stored: 0,
  }
}

export function toFilter(filters: QueryFilters | undefined): MemoryFilter {
  if (!filters) return {}
  const { tags, source = [], sources = [], memory_type: types, since, until, include_summaries, tier } = filters
  const named = [...source, ...sources]
  return {
    tags,
    types,
    since,
    until,
    tier,
    sources: named.length > 0 ? named : undefined,
    isSummary: include_summaries === false ? false : undefined,
  }
}
