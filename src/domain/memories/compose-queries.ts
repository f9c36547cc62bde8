import { and, desc, notInArray } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import type { MemoryScope } from '../context.ts'
import { inScope, isVisible, type MemoryRow } from './queries.ts'

/** The most important memories of one user beside those, the latest of equals first. */
export function selectImportant(
  db: Database,
  scope: MemoryScope & { readonly userId: string },
  options: { readonly except: readonly string[]; readonly limit: number },
): Promise<MemoryRow[]> {
  const others = options.except.length > 0 ? notInArray(memories.id, [...options.except]) : undefined
  return db
    .select()
    .from(memories)
    .where(and(inScope(scope), isVisible, others))
    .orderBy(desc(memories.importance), desc(memories.createdAt), desc(memories.id))
    .limit(options.limit)
    .then((rows) => rows)
}
