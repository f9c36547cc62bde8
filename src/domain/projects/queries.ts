import { and, count, eq, isNotNull, isNull, min, ne, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { accounts } from '../../db/schema/accounts.ts'
import { apiKeys } from '../../db/schema/api-keys.ts'
import { memories } from '../../db/schema/memories.ts'
import { projectSettings } from '../../db/schema/project-settings.ts'
import { users } from '../../db/schema/users.ts'
import { webhooks } from '../../db/schema/webhooks.ts'

/** Among what is set of a project: what it is called. */
const NAME = 'project'

/** What an account wrote down of a project. */
export interface ProjectLabel {
  readonly name: string
  readonly createdAt: string
  readonly archivedAt: string | null
}

export interface LabelledProject extends ProjectLabel {
  readonly projectId: string
  readonly updatedAt: Date
}

function isLabelOf(accountId: string) {
  return and(eq(projectSettings.accountId, accountId), eq(projectSettings.name, NAME))
}

export async function selectLabels(db: Database, accountId: string): Promise<LabelledProject[]> {
  const rows = await db.select().from(projectSettings).where(isLabelOf(accountId))
  return rows.map(({ projectId, value, updatedAt }) => ({ ...(value as ProjectLabel), projectId, updatedAt }))
}

/** Held until the transaction ends: changes to an account's projects come one after the other. */
export async function lockProjects(tx: Database, accountId: string): Promise<void> {
  await tx.select({ id: accounts.id }).from(accounts).where(eq(accounts.id, accountId)).for('no key update')
}

export async function putLabel(tx: Database, accountId: string, projectId: string, label: ProjectLabel): Promise<void> {
  const change = { value: label, updatedAt: sql`now()` }
  await tx
    .insert(projectSettings)
    .values({ accountId, projectId, name: NAME, ...change })
    .onConflictDoUpdate({
      target: [projectSettings.accountId, projectSettings.projectId, projectSettings.name],
      set: change,
    })
}

/** All that is set of it, its label too. */
export async function deleteSettings(tx: Database, accountId: string, projectId: string): Promise<void> {
  await tx
    .delete(projectSettings)
    .where(and(eq(projectSettings.accountId, accountId), eq(projectSettings.projectId, projectId)))
}

/** Projects in which there are end users; since when, in ISO 8601. */
export async function selectUsedProjects(
  db: Database,
  accountId: string,
): Promise<{ projectId: string; since: Date | null }[]> {
  return db
    .select({ projectId: users.projectId, since: min(users.createdAt) })
    .from(users)
    .where(and(eq(users.accountId, accountId), ne(users.kind, 'native'), isNull(users.erasedAt)))
    .groupBy(users.projectId)
}

/** Projects that valid keys are bound to, and webhooks. */
export async function selectBoundProjects(db: Database, accountId: string): Promise<string[]> {
  const ofKeys = await db
    .selectDistinct({ projectId: apiKeys.projectId })
    .from(apiKeys)
    .where(and(eq(apiKeys.accountId, accountId), isNotNull(apiKeys.projectId), isNull(apiKeys.revokedAt)))
  const ofWebhooks = await db
    .selectDistinct({ projectId: webhooks.projectId })
    .from(webhooks)
    .where(and(eq(webhooks.accountId, accountId), isNotNull(webhooks.projectId)))
  return [...ofKeys, ...ofWebhooks].flatMap(({ projectId }) => projectId ?? [])
}

/** Memories that are in sight, by project. */
export async function countByProject(db: Database, accountId: string): Promise<Map<string, number>> {
  const rows = await db
    .select({ projectId: memories.projectId, count: count() })
    .from(memories)
    .where(
      and(
        eq(memories.accountId, accountId),
        isNull(memories.archivedAt),
        sql`(${memories.expiresAt} is null or ${memories.expiresAt} > now())`,
        sql`not exists (select from ${users} where ${users.id} = ${memories.userId} and ${users.erasedAt} is not null)`,
      ),
    )
    .groupBy(memories.projectId)
  return new Map(rows.map((row) => [row.projectId, row.count]))
}
