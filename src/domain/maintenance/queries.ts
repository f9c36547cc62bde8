import { and, asc, eq, gt, or, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { accounts } from '../../db/schema/accounts.ts'
import { projectSettings } from '../../db/schema/project-settings.ts'
import type { AutoMaintenance, MaintenanceTask } from './schemas.ts'

const NAME = 'auto_maintenance'

export interface Project {
  readonly accountId: string
  readonly projectId: string
}

const { accountId: account, projectId: project, name, value } = projectSettings
const target = [account, project, name]
const ofProject = ({ accountId, projectId }: Project) =>
  and(eq(account, accountId), eq(project, projectId), eq(name, NAME))

export async function selectAutoMaintenance(db: Database, of: Project): Promise<Partial<AutoMaintenance>> {
  const [row] = await db.select({ value }).from(projectSettings).where(ofProject(of))
  return (row?.value ?? {}) as Partial<AutoMaintenance>
}

/** What a task is left out of stays as it is, and so does every field that is left out of a task. Resolves with the whole. */
export async function mergeAutoMaintenance(
  tx: Database,
  of: Project,
  changes: { readonly [T in MaintenanceTask]?: Partial<AutoMaintenance[T]> },
): Promise<Partial<AutoMaintenance>> {
  // Two changes at a time: the second waits for the row, and then sees the first.
  await tx
    .insert(projectSettings)
    .values({ accountId: of.accountId, projectId: of.projectId, name: NAME, value: {} })
    .onConflictDoNothing({ target })
  const [row] = await tx.select({ value }).from(projectSettings).where(ofProject(of)).for('update')
  const before = (row?.value ?? {}) as Partial<AutoMaintenance>
  const after: Record<string, unknown> = { ...before }
  for (const [task, change] of Object.entries(changes)) {
    after[task] = { ...before[task as MaintenanceTask], ...change }
  }
  await tx.update(projectSettings).set({ value: after, updatedAt: sql`now()` }).where(ofProject(of))
  return after as Partial<AutoMaintenance>
}

export type MaintainedProject = Project & {
  readonly accountPlan: string | null
  readonly value: Partial<AutoMaintenance>
}

/** System scope: projects of any account that have something turned on, in a fixed order. */
export async function selectMaintainedProjects(
  db: Database,
  after: Project | undefined,
  limit: number,
): Promise<MaintainedProject[]> {
  const rows = await db
    .select({ accountId: account, projectId: project, accountPlan: accounts.plan, value })
    .from(projectSettings)
    .innerJoin(accounts, eq(accounts.id, account))
    .where(
      and(
        eq(name, NAME),
        or(
          sql`${value} @> '{"consolidation":{"enabled":true}}'::jsonb`,
          sql`${value} @> '{"reflection":{"enabled":true}}'::jsonb`,
        ),
        after && or(gt(account, after.accountId), and(eq(account, after.accountId), gt(project, after.projectId))),
      ),
    )
    .orderBy(asc(account), asc(project))
    .limit(limit)
  return rows.map((row) => ({ ...row, value: row.value as Partial<AutoMaintenance> }))
}
