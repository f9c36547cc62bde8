import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import { feedbackSignals } from '../../db/schema/memory-feedback.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { cleanText } from '../text-schemas.ts'
import { countFeedback, type FeedbackSignal, insertFeedback, selectSignals } from './history-queries.ts'
import { adjustmentOf, clampImportance, type FeedbackTrend, SIGNALS_OF_TREND, trendOf } from './importance.ts'
import { findMemory, lockMatching, type MemoryRow } from './queries.ts'
import { setImportance } from './upkeep-queries.ts'

const FeedbackInput = z.strictObject({
  signal: z.enum(feedbackSignals),
  comment: cleanText(4_000).nullish(),
})

export interface RecordedFeedback {
  readonly memory: MemoryRow
  readonly signal: FeedbackSignal
  readonly importanceBefore: number
  readonly importanceAfter: number
  /** The difference; 0 where the importance is at its bound already. */
  readonly adjustment: number
  readonly totalSignals: number
  readonly signalCounts: Readonly<Record<FeedbackSignal, number>>
  readonly trend: FeedbackTrend
}

/** Keeps what an application says of a memory's use, and has it count for its importance. `not_found` for one that is not in sight. */
export async function recordFeedback(
  ctx: ServiceContext,
  scope: MemoryScope,
  by: string | number,
  input: { readonly signal: FeedbackSignal; readonly comment?: string | null | undefined },
  also: AlsoStore<RecordedFeedback> = nothingElse,
): Promise<RecordedFeedback> {
  const { signal, comment } = parseInput(FeedbackInput, input)
  const found = await findMemory(ctx.services.db, scope, by)
  if (!found) throw refuseUnknownMemory(ctx, scope, by)
  return inTransaction(ctx.services.db, async (tx) => {
    const [memory] = await lockMatching(tx, scope, { ids: [found.id] })
    if (!memory) throw refuseUnknownMemory(ctx, scope, by)
    await insertFeedback(tx, memory, { signal, comment: comment ?? null })
    const signals = (await selectSignals(tx, [memory], SIGNALS_OF_TREND)).get(memory.id) ?? []
    const importanceAfter = await setImportance(tx, memory, clampImportance(memory.importance + adjustmentOf(signals)))
    const signalCounts = await countFeedback(tx, memory)
    await recordAudit(tx, ctx, { action: 'memory.update', target: memory.id })
    const recorded = {
      memory: { ...memory, importance: importanceAfter },
      signal,
      importanceBefore: memory.importance,
      importanceAfter,
      adjustment: importanceAfter - memory.importance,
      totalSignals: Object.values(signalCounts).reduce((sum, count) => sum + count, 0),
      signalCounts,
      trend: trendOf(signals),
    }
    await also(tx, recorded)
    return recorded
  })
}
