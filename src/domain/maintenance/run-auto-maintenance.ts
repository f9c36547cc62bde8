import { inTransaction } from '../../db/database.ts'
import type { ServiceContext, SystemContext } from '../context.ts'
import { consolidateMemories } from '../memories/consolidate-memories.ts'
import { projectScope } from '../memories/memory-scope.ts'
import { reflectOnMemories } from '../memories/reflect-on-memories.ts'
import { complete } from './auto-maintenance.ts'
import { type MaintainedProject, mergeAutoMaintenance, selectMaintainedProjects } from './queries.ts'
import { type MaintenanceFrequency, type MaintenanceTask, maintenanceTasks, type TaskSettings } from './schemas.ts'

const PAGE = 100
const DAY_MS = 86_400_000
const PERIOD_DAYS: Readonly<Record<MaintenanceFrequency, number>> = { daily: 1, weekly: 7, monthly: 30 }
/** As the APIs that offer these have them, if the caller does not say. */
const CONSOLIDATION = { similarityThreshold: 0.9, dryRun: false }
const REFLECTION = { minStrength: 0.7, most: 20, dryRun: false }

type ProjectContext = ServiceContext & { readonly turn: Disposable }

/**
 * System scope: does what projects have turned on and is due at `now`. A project whose work fails is tried again the next time, and keeps
 * none of the others from theirs. Doing it twice changes nothing more. Resolves with how many tasks were done.
 */
export async function runAutoMaintenance(ctx: SystemContext, now: Date = new Date()): Promise<number> {
  let done = 0
  let after: MaintainedProject | undefined
  for (;;) {
    const projects = await selectMaintainedProjects(ctx.services.db, after, PAGE)
    for (const project of projects) {
      for (const task of maintenanceTasks) {
        ctx.signal.throwIfAborted()
        if (!isDue(complete(project.value)[task], now)) continue
        if (await runTask(contextOf(ctx, project), task, complete(project.value)[task], now)) done++
      }
    }
    after = projects.at(-1)
    if (projects.length < PAGE) return done
  }
}

function isDue({ enabled, frequency, lastRunAt }: TaskSettings, now: Date): boolean {
  if (!enabled) return false
  return lastRunAt === null || now.getTime() - Date.parse(lastRunAt) >= PERIOD_DAYS[frequency] * DAY_MS
}

async function runTask(
  ctx: ProjectContext,
  task: MaintenanceTask,
  { frequency }: TaskSettings,
  now: Date,
): Promise<boolean> {
  const scope = projectScope(ctx)
  try {
    if (task === 'consolidation') await consolidateMemories(ctx, scope, CONSOLIDATION)
    else await reflectOnMemories(ctx, scope, { ...REFLECTION, windowDays: PERIOD_DAYS[frequency] })
    const ran = { [task]: { lastRunAt: now.toISOString() } }
    await inTransaction(ctx.services.db, (tx) => mergeAutoMaintenance(tx, ctx.service, ran))
    return true
  } catch (error) {
    ctx.signal.throwIfAborted()
    ctx.log.warn({ err: error, task, ...scope }, 'auto-maintenance of a project failed, it will be tried again')
    return false
  }
}

/** The gateway's own request in a project. It has no user's turn to wait for. */
function contextOf(ctx: SystemContext, { accountId, projectId, accountPlan }: MaintainedProject): ProjectContext {
  const key = { keyId: 'auto-maintenance', scopes: ['read', 'write'] as const, keyPlan: null, isProjectLocked: true }
  return { ...ctx, service: { accountId, projectId, accountPlan, ...key }, turn: { [Symbol.dispose]() {} } }
}
