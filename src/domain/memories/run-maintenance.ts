import { inTransaction } from '../../db/database.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { type PruneInput, type PruneReport, pruneMemories } from './prune-memories.ts'
import { type RecalculationReport, recalculateImportance } from './recalculate-importance.ts'
import { type RelinkReport, relinkMemories } from './relink-memories.ts'
import { type SummarizeReport, summarizeMemories } from './summarize-memories.ts'

export const maintenanceJobs = ['pruning', 'summarization', 'link-optimization', 'importance-recalculation'] as const
export type MaintenanceJob = (typeof maintenanceJobs)[number]

export type MaintenanceReport = { readonly durationMs: number } & (
  | { readonly job: 'pruning'; readonly report: PruneReport }
  | { readonly job: 'summarization'; readonly report: SummarizeReport }
  | { readonly job: 'link-optimization'; readonly report: RelinkReport }
  | { readonly job: 'importance-recalculation'; readonly report: RecalculationReport }
)

const PRUNE_DEFAULTS = {
  maxAgeDays: 90,
  minImportance: 0.1,
  maxMemories: 10_000,
  archiveOnly: true,
  dryRun: false,
} as const satisfies PruneInput

/** Does one job, or all of them in their order, and says of each what it did, and how long that took. `also` is done at the end. */
export async function runMaintenance(
  ctx: ServiceContext & { readonly turn: Disposable },
  scope: MemoryScope,
  jobType: MaintenanceJob | 'all',
  also: AlsoStore<readonly MaintenanceReport[]> = nothingElse,
): Promise<readonly MaintenanceReport[]> {
  const reports: MaintenanceReport[] = []
  for (const job of jobType === 'all' ? maintenanceJobs : [jobType]) {
    const began = performance.now()
    const done = await runJob(ctx, scope, job)
    reports.push({ ...done, durationMs: Math.round(performance.now() - began) })
  }
  await inTransaction(ctx.services.db, (tx) => also(tx, reports))
  return reports
}

async function runJob(ctx: ServiceContext & { readonly turn: Disposable }, scope: MemoryScope, job: MaintenanceJob) {
  switch (job) {
    case 'pruning':
      return { job, report: await pruneMemories(ctx, scope, PRUNE_DEFAULTS) } as const
    case 'summarization':
      return { job, report: await summarizeMemories(ctx, scope, {}) } as const
    case 'link-optimization':
      return { job, report: await relinkMemories(ctx, scope) } as const
    case 'importance-recalculation':
      return { job, report: await recalculateImportance(ctx, scope) } as const
  }
}
