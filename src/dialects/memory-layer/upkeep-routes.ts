import { z } from 'zod'
import { memoriesOfProject } from '../../domain/idempotency/answer-subject.ts'
import { memoryStats } from '../../domain/memories/memory-stats.ts'
import { type PruneReport, pruneMemories } from '../../domain/memories/prune-memories.ts'
import { type MaintenanceReport, maintenanceJobs, runMaintenance } from '../../domain/memories/run-maintenance.ts'
import { type SummarizeReport, summarizeMemories } from '../../domain/memories/summarize-memories.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, rounded, slashed } from '../../http/dialect.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { forMemoriesOf, type Whose } from '../../http/service.ts'
import { ValidationError } from './errors.ts'
import { open, readQuery } from './request.ts'
import { PruneQuery, UserQuery } from './schemas.ts'

const jobTypes = [...maintenanceJobs, 'all'] as const
const JobType = z.enum(jobTypes)

/** What keeps memories in order: of the whole project, or of one end user. */
export function upkeepRoutes(router: DialectRouter): void {
  router.on('GET', slashed('/v1/memory/stats'), stats)
  router.on('POST', slashed('/v1/memory/summarize'), summarize)
  router.on('POST', slashed('/v1/memory/prune'), prune)
  router.on('POST', slashed('/v1/memory/maintenance/:job_type'), maintain)
}

function whoseOf(endUser: string | undefined): Whose {
  return endUser === undefined ? 'all' : { endUser }
}

async function stats(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  const { external_user_id: endUser } = readQuery(c, UserQuery)
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(endUser))
  const found = await memoryStats(ctx, scope)
  return c.json({
    status: 'success',
    stats: {
      total_memories: found.visible,
      archived_memories: found.archived,
      summary_memories: found.summaries,
      total_users: found.users,
      total_accesses: found.accesses,
      memories_by_type: Object.fromEntries(found.byType.map(({ type, count }) => [type, count])),
      average_importance: found.averageImportance === null ? null : rounded(found.averageImportance),
      oldest_memory_at: found.oldestAt?.toISOString() ?? null,
      newest_memory_at: found.newestAt?.toISOString() ?? null,
      text_bytes: found.textBytes,
      total_files: found.files,
      file_bytes: found.fileBytes,
      indexing: found.index,
    },
  })
}

function summarize(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const service = await open(c, 'write')
    const { external_user_id: endUser } = readQuery(c, UserQuery)
    const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(endUser))
    await claim.begin(ctx)
    await countUse(c, ctx, { requests: 1 })
    const render = (report: SummarizeReport) => answer(200, { status: 'success', ...toSummaries(report) })
    return render(
      await summarizeMemories(
        ctx,
        scope,
        {},
        claim.keep(render, () => memoriesOfProject(scope)),
      ),
    )
  })
}

function prune(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const service = await open(c, 'write')
    const query = readQuery(c, PruneQuery)
    const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(query.external_user_id))
    await claim.begin(ctx)
    await countUse(c, ctx, { requests: 1 })
    const input = {
      maxAgeDays: query.max_age_days,
      minImportance: query.min_importance,
      maxMemories: query.max_memories,
      archiveOnly: query.archive_only,
      dryRun: query.dry_run,
    }
    const render = (report: PruneReport) =>
      answer(200, { status: 'success', archive_only: query.archive_only, ...toPruned(report) })
    return render(await pruneMemories(ctx, scope, input, claim.keep(render)))
  })
}

function maintain(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const service = await open(c, 'write')
    const jobType = jobTypeOf(c)
    const { external_user_id: endUser } = readQuery(c, UserQuery)
    const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(endUser))
    await claim.begin(ctx)
    await countUse(c, ctx, { requests: 1 })
    const render = (reports: readonly MaintenanceReport[]) =>
      answer(200, { status: 'success', job_type: jobType, results: reports.map(toJobResult) })
    return render(
      await runMaintenance(
        ctx,
        scope,
        jobType,
        claim.keep(render, () => memoriesOfProject(scope)),
      ),
    )
  })
}

function jobTypeOf(c: HttpContext): z.infer<typeof JobType> {
  const parsed = JobType.safeParse(c.req.param('job_type'))
  if (parsed.success) return parsed.data
  const words = jobTypes.map((type) => `'${type}'`)
  const msg = `Input should be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
  throw new ValidationError([{ type: 'literal_error', loc: ['path', 'job_type'], msg }])
}

function toJobResult({ job, durationMs, ...done }: MaintenanceReport) {
  return { job, duration_ms: durationMs, ...toReport({ job, ...done } as MaintenanceReport) }
}

function toReport(done: MaintenanceReport) {
  switch (done.job) {
    case 'pruning':
      return toPruned(done.report)
    case 'summarization':
      return toSummaries(done.report)
    case 'link-optimization': {
      const { compared, linksCreated, linksRemoved, complete } = done.report
      return { memories_compared: compared, links_created: linksCreated, links_removed: linksRemoved, complete }
    }
    case 'importance-recalculation': {
      const { evaluated, changed, averageImportance } = done.report
      return {
        memories_evaluated: evaluated,
        memories_changed: changed,
        average_importance: averageImportance === null ? null : rounded(averageImportance),
      }
    }
  }
}

function toSummaries({ summaries, compared, complete }: SummarizeReport) {
  return {
    summaries_created: summaries.filter(({ isNew }) => isNew).length,
    memories_compared: compared,
    complete,
    summaries: summaries.map(({ memory, of, by }) => ({
      memory_id: memory.id,
      content: memory.content,
      source_memory_ids: of,
      generated_by: by,
    })),
  }
}

function toPruned(report: PruneReport) {
  const { dryRun, pruned, archived, deleted, evaluated, byAge, byImportance, byCount } = report
  return {
    dry_run: dryRun,
    memories_evaluated: evaluated,
    pruned_count: byAge + byImportance + byCount,
    archived_count: archived,
    deleted_count: deleted,
    reasons: { max_age_days: byAge, min_importance: byImportance, max_memories: byCount },
    memory_ids: pruned,
  }
}
