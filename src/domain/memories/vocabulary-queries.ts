import { and, eq, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { projectSettings } from '../../db/schema/project-settings.ts'

const NAME = 'vocabulary'

export interface StoredVocabulary {
  readonly contentTypes?: readonly string[] | undefined
  readonly relationTypes?: readonly string[] | undefined
}

interface Project {
  readonly accountId: string
  readonly projectId: string
}

export async function selectVocabulary(db: Database, { accountId, projectId }: Project): Promise<StoredVocabulary> {
  const { value } = projectSettings
  const [row] = await db
    .select({ value })
    .from(projectSettings)
    .where(
      and(
        eq(projectSettings.accountId, accountId),
        eq(projectSettings.projectId, projectId),
        eq(projectSettings.name, NAME),
      ),
    )
  return (row?.value ?? {}) as StoredVocabulary
}

/** What is undefined stays as it is. Resolves with the whole. */
export async function mergeVocabulary(
  tx: Database,
  { accountId, projectId }: Project,
  changes: StoredVocabulary,
): Promise<StoredVocabulary> {
  const [row] = await tx
    .insert(projectSettings)
    .values({ accountId, projectId, name: NAME, value: changes })
    .onConflictDoUpdate({
      target: [projectSettings.accountId, projectSettings.projectId, projectSettings.name],
      set: { value: sql`${projectSettings.value} || excluded.value`, updatedAt: sql`now()` },
    })
    .returning({ value: projectSettings.value })
  if (!row) throw new Error('The vocabulary was not stored.')
  return row.value as StoredVocabulary
}
