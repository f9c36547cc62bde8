import { memoriesOfUser } from '../../../domain/idempotency/answer-subject.ts'
import { linkMemories } from '../../../domain/memories/link-memories.ts'
import type { LinkRow } from '../../../domain/memories/link-queries.ts'
import { listMemories } from '../../../domain/memories/list-memories.ts'
import { type HistoryEntry, memoryHistory } from '../../../domain/memories/memory-history.ts'
import { unknownMemory, userScope } from '../../../domain/memories/memory-scope.ts'
import { type RecordedFeedback, recordFeedback } from '../../../domain/memories/record-feedback.ts'
import { type SummarizeReport, summarizeMemories } from '../../../domain/memories/summarize-memories.ts'
import { knowsRelationType } from '../../../domain/memories/vocabulary.ts'
import { rounded } from '../../../http/dialect.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { countUse } from '../../../http/quota.ts'
import { actAsEndUser } from '../auth.ts'
import { invalidFields, parsePart } from '../errors.ts'
import { toMemory, toSkip } from '../mapping.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { FeedbackBody, HistoryQuery, RelationBody, SummarizeBody } from '../schemas.ts'
import { OVER_QUOTA } from './add.ts'
import { MEMORY, memoryId } from './records.ts'

const WRITE = { scope: 'write', body: 'json' } as const

/** What becomes of a memory: its history, what is said of it, what it has to do with others. */
export function addLifeRoutes(router: Router): void {
  addRoute(router, 'GET', `${MEMORY}/history`, { scope: 'read' }, async (c, sender) => {
    const page = parsePart(HistoryQuery, 'query', c.req.query())
    const ctx = await actAsEndUser(c, sender)
    const history = await memoryHistory(ctx, userScope(ctx, ctx.caller.userId), memoryId(c), page)
    return c.json({
      memory_id: history.memory.number,
      total: history.total,
      revisions: history.entries.map(toRevision),
      tracked_fields: history.trackedFields.map(fieldName),
    })
  })

  addRoute(router, 'POST', `${MEMORY}/feedback`, WRITE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(FeedbackBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx, input)
      const scope = userScope(ctx, ctx.caller.userId)
      return answerFeedback(await recordFeedback(ctx, scope, memoryId(c), input, claim.keep(answerFeedback)))
    }),
  )

  addRoute(router, 'POST', `${MEMORY}/relations`, WRITE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(RelationBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx, input)
      const { to_memory_id: to, relationship_type: type, metadata } = input
      if (!(await knowsRelationType(ctx, type))) throw unknownRelation(type)
      const from = memoryId(c)
      // Who says that two memories belong together, and no more, is sure of it.
      const relation = { from, to, type, metadata, confidence: input.confidence ?? 1 }
      const render = (link: LinkRow) => answer(201, toRelation(link, { from, to }))
      const keep = claim.keep(render, () => memoriesOfUser(ctx.caller.userId))
      return render(await linkMemories(ctx, userScope(ctx, ctx.caller.userId), relation, keep))
    }),
  )

  const summarizeRules = { ...WRITE, uses: { adds: 0 }, overQuota: OVER_QUOTA }
  addRoute(router, 'POST', '/memory/summarize', summarizeRules, (c, sender) =>
    answerOnce(c, async (claim) => {
      const { memory_ids, lossless = false } = parsePart(SummarizeBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx, { memory_ids, lossless })
      const scope = userScope(ctx, ctx.caller.userId)
      const numbers = [...new Set(memory_ids)]
      const { items } = await listMemories(ctx, scope, { numbers }, { limit: numbers.length, order: 'asc' })
      if (items.length < numbers.length) throw unknownMemory()
      await countUse(c, ctx, { adds: 1 })
      const ids = items.map(({ id }) => id)
      const keep = claim.keep(answerSummary, ({ summaries: [summary] }) => ({
        ...(summary?.isNew && { sessionId: summary.memory.sessionId }),
      }))
      return answerSummary(await summarizeMemories(ctx, scope, { ids, verbatim: lossless }, keep))
    }),
  )
}

function toRevision({ revision, event, changedFields, diff, actor, createdAt }: HistoryEntry) {
  return {
    revision,
    event,
    changed_fields: changedFields.map(fieldName),
    diff: Object.fromEntries(Object.entries(diff).map(([field, change]) => [fieldName(field), change])),
    actor,
    created_at: createdAt.toISOString(),
  }
}

/** What the gateway calls the content is this API's text. */
function fieldName(field: string): string {
  return field === 'content' ? 'text' : field
}

function answerFeedback(recorded: RecordedFeedback) {
  const { memory, signal, trend } = recorded
  return answer(200, {
    memory_id: memory.number,
    signal,
    importance_before: rounded(recorded.importanceBefore),
    importance_after: rounded(recorded.importanceAfter),
    adjustment: rounded(recorded.adjustment),
    influenced_ranking: recorded.adjustment !== 0,
    summary: {
      total_signals: recorded.totalSignals,
      signal_counts: recorded.signalCounts,
      trend: {
        momentum: trend.momentum,
        consistency: trend.consistency,
        trend_multiplier: trend.multiplier,
        recent_count: trend.count,
      },
    },
  })
}

function unknownRelation(type: string) {
  const msg = `relationship_type: ${type} is no type of this project. PUT /memory/ontology adds types.`
  return invalidFields([{ type: 'enum', loc: ['body', 'relationship_type'], msg }])
}

function toRelation(link: LinkRow, numbers: { from: number; to: number }) {
  return {
    id: link.number,
    from_memory_id: numbers.from,
    to_memory_id: numbers.to,
    relationship_type: link.type,
    confidence: rounded(link.confidence),
    metadata: link.metadata,
    created_at: link.createdAt.toISOString(),
  }
}

function answerSummary({ summaries: [summary] }: SummarizeReport) {
  if (!summary) throw new Error('No summary was made.')
  const { memory, isNew } = summary
  return isNew
    ? answer(201, toMemory(memory))
    : answer(200, toSkip({ reason: 'duplicate', memoryIds: [memory.number], extracted: 1 }))
}
