import type { Limits } from '../../config/config.ts'
import { memoriesOfProject } from '../../domain/idempotency/answer-subject.ts'
import { getAutoMaintenance, setAutoMaintenance } from '../../domain/maintenance/auto-maintenance.ts'
import type { AutoMaintenance } from '../../domain/maintenance/schemas.ts'
import { type ConsolidateReport, consolidateMemories } from '../../domain/memories/consolidate-memories.ts'
import { type ReflectReport, reflectOnMemories } from '../../domain/memories/reflect-on-memories.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, rounded, slashed } from '../../http/dialect.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { forMemoriesOf } from '../../http/service.ts'
import { open, readBody } from './request.ts'
import { ConsolidateBody, MaintenanceBody, ReflectBody } from './schemas.ts'

/** How many patterns a reflection looks at. */
const MOST_PATTERNS = { shallow: 5, deep: 50 } as const
/** Without a look at what is nearly the same, only what has the same words is a duplicate. */
const SAME = 1

/** What keeps the memories of the project in order, at once or by itself. */
export function upkeepRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'write'))
  router.on('POST', slashed('/memories/reflect'), readJson, reflect)
  router.on('POST', slashed('/memories/consolidate'), readJson, consolidate)
  router.on('GET', slashed('/auto-maintenance/config'), getConfig)
  router.on('POST', slashed('/auto-maintenance/config'), readJson, setConfig)
}

function reflect(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const body = await readBody(c, ReflectBody)
    const { ctx, scope } = await forMemoriesOf(c, await open(c, 'write'), 'all')
    await claim.begin(ctx, body)
    await countUse(c, ctx, { requests: 1 })
    const input = {
      windowDays: body.timeWindowDays,
      minStrength: body.minPatternStrength,
      most: MOST_PATTERNS[body.analysisDepth],
      dryRun: body.dryRun,
    }
    const render = (report: ReflectReport) => answer(200, toReflection(report))
    return render(
      await reflectOnMemories(
        ctx,
        scope,
        input,
        claim.keep(render, () => memoriesOfProject(scope)),
      ),
    )
  })
}

function consolidate(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const body = await readBody(c, ConsolidateBody)
    const { ctx, scope } = await forMemoriesOf(c, await open(c, 'write'), 'all')
    await claim.begin(ctx, body)
    await countUse(c, ctx, { requests: 1 })
    const similarityThreshold = body.check_redundancy ? body.similarity_threshold : SAME
    const render = (report: ConsolidateReport) => answer(200, toConsolidation(report))
    const input = { similarityThreshold, dryRun: body.dry_run }
    return render(await consolidateMemories(ctx, scope, input, claim.keep(render)))
  })
}

async function getConfig(c: HttpContext): Promise<Response> {
  const ctx = await open(c, 'read')
  await countUse(c, ctx, { requests: 1 })
  return c.json(toConfig(await getAutoMaintenance(ctx)))
}

function setConfig(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const body = await readBody(c, MaintenanceBody)
    const ctx = await open(c, 'write')
    await claim.begin(ctx, body)
    await countUse(c, ctx, { requests: 1 })
    const changes = {
      consolidation: given(body.consolidation_enabled, body.consolidation_frequency),
      reflection: given(body.reflection_enabled, body.reflection_frequency),
    }
    const render = (settings: AutoMaintenance) => answer(200, toConfig(settings))
    return render(await setAutoMaintenance(ctx, changes, claim.keep(render)))
  })
}

function given(enabled: boolean | null | undefined, frequency: string | null | undefined) {
  return { enabled: enabled ?? undefined, frequency: frequency ?? undefined }
}

function toReflection({ patterns, dryRun }: ReflectReport) {
  const stored = patterns.filter(({ insight }) => insight?.isNew).length
  return {
    success: true,
    mode: 'sync',
    dry_run: dryRun,
    patterns_detected: patterns.length,
    insights_generated: stored,
    patterns: patterns.map(({ memories, strength, words, insight }) => ({
      strength: rounded(strength),
      topics: words,
      memory_ids: memories.map(({ id }) => id),
      insight: insight && { memory_id: insight.memory.id, content: insight.memory.content, is_new: insight.isNew },
    })),
    message: dryRun
      ? `${patterns.length} pattern(s) found; nothing was stored.`
      : `${patterns.length} pattern(s) found, ${stored} new insight(s) stored.`,
  }
}

function toConsolidation({ dryRun, duplicatesFound, merged, merges, complete, compared }: ConsolidateReport) {
  return {
    success: true,
    mode: 'sync',
    dry_run: dryRun,
    memories_compared: compared,
    duplicates_found: duplicatesFound,
    memories_merged: merged,
    complete,
    merges: merges.map(({ kept, superseded }) => ({ kept, superseded })),
    message: dryRun
      ? `${duplicatesFound} duplicate(s) found; nothing was changed.`
      : `${duplicatesFound} duplicate(s) found, ${merged} archived.`,
  }
}

function toConfig({ consolidation, reflection }: AutoMaintenance) {
  return {
    success: true,
    config: {
      consolidation_enabled: consolidation.enabled,
      consolidation_frequency: consolidation.frequency,
      consolidation_last_run_at: consolidation.lastRunAt,
      reflection_enabled: reflection.enabled,
      reflection_frequency: reflection.frequency,
      reflection_last_run_at: reflection.lastRunAt,
    },
  }
}
