import { inTransaction } from '../../db/database.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { forEachUser, selectComparable } from './compare-texts.ts'
import { archiveLocked } from './delete-memories.ts'
import { type ComparedText, insertLinks } from './link-queries.ts'
import { MOST_NAMED } from './prune-memories.ts'
import { lockMatching, type MemoryRow, selectMemories } from './queries.ts'
import { mayStateTheSame } from './rules/same-statement.ts'
import { similarPairs } from './similar-pairs.ts'

export interface ConsolidateInput {
  /** From which similarity (0..1) two memories of a user say the same. */
  readonly similarityThreshold: number
  /** Only say what would go. */
  readonly dryRun: boolean
}

export interface Merge {
  /** The memory that stays. */
  readonly kept: string
  /** Those that it stands for from now on. */
  readonly superseded: readonly string[]
}

export interface ConsolidateReport {
  readonly dryRun: boolean
  /** Memories that were compared. */
  readonly compared: number
  /** Memories that say what another one says. */
  readonly duplicatesFound: number
  /** How many of them were archived. */
  readonly merged: number
  /** The first 1,000. */
  readonly merges: readonly Merge[]
  /** False: there are more than were compared now. */
  readonly complete: boolean
}

/**
 * Of memories of a user that say the same, the better one stays in sight: of which the extraction is surer, then the more important, then
 * the newer. The others are archived, superseded by it. `also` is done at the end.
 */
export async function consolidateMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  { similarityThreshold, dryRun }: ConsolidateInput,
  also: AlsoStore<ConsolidateReport> = nothingElse,
): Promise<ConsolidateReport> {
  const report = { dryRun, compared: 0, duplicatesFound: 0, merged: 0, complete: true }
  const merges: Merge[] = []
  const gotToAll = await forEachUser(ctx, scope, async (own) => {
    const { texts, isWhole } = await selectComparable(ctx, own)
    for await (const group of duplicatesAmong(ctx, own, texts, similarityThreshold)) {
      report.duplicatesFound += group.superseded.length
      const superseded = (dryRun ? group.superseded : await merge(ctx, own, group)).map(({ id }) => id)
      if (!dryRun) report.merged += superseded.length
      if (superseded.length > 0 && merges.length < MOST_NAMED) merges.push({ kept: group.kept.id, superseded })
    }
    report.compared += texts.length
    report.complete &&= isWhole
  })
  const done = { ...report, complete: report.complete && gotToAll, merges }
  await inTransaction(ctx.services.db, (tx) => also(tx, done))
  return done
}

interface Duplicates {
  readonly kept: MemoryRow
  readonly superseded: readonly MemoryRow[]
}

/** The best of all takes in what is like it and says the same, then the best of those that are left. */
async function* duplicatesAmong(
  ctx: ServiceContext,
  scope: MemoryScope,
  texts: readonly ComparedText[],
  atLeast: number,
): AsyncGenerator<Duplicates> {
  const near = Map.groupBy(
    (await similarPairs(texts, atLeast, ctx.signal)).flatMap(({ one, other }) => [
      { id: one, like: other },
      { id: other, like: one },
    ]),
    ({ id }) => id,
  )
  const gone = new Set<string>()
  for (const { id } of texts.toSorted(betterFirst)) {
    const likes = gone.has(id) ? [] : (near.get(id) ?? []).map(({ like }) => like).filter((like) => !gone.has(like))
    if (likes.length === 0) continue
    const ids = [id, ...likes]
    const rows = await selectMemories(ctx.services.db, scope, { ids }, { limit: ids.length, order: 'asc' })
    const kept = rows.find((row) => row.id === id)
    if (!kept) continue
    const superseded = rows.filter((row) => row !== kept && mayStateTheSame(kept.content, row.content, 0))
    for (const one of [kept, ...superseded]) gone.add(one.id)
    if (superseded.length > 0) yield { kept, superseded }
  }
}

function betterFirst(one: ComparedText, other: ComparedText): number {
  return (
    other.confidence - one.confidence ||
    other.importance - one.importance ||
    other.createdAt.getTime() - one.createdAt.getTime() ||
    (one.id < other.id ? -1 : 1)
  )
}

/** What was changed, archived or deleted meanwhile is left as it is. Resolves with those that were archived. */
function merge(
  ctx: ServiceContext,
  scope: MemoryScope & { userId: string },
  { kept, superseded }: Duplicates,
): Promise<readonly MemoryRow[]> {
  const contents = new Map([kept, ...superseded].map(({ id, content }) => [id, content]))
  return inTransaction(ctx.services.db, async (tx) => {
    const locked = await lockMatching(tx, scope, { ids: [...contents.keys()] })
    const unchanged = locked.filter(({ id, content }) => content === contents.get(id))
    if (!unchanged.some(({ id }) => id === kept.id)) return []
    const others = unchanged.filter(({ id }) => id !== kept.id)
    const archived = await archiveLocked(tx, ctx, others, kept.id)
    const links = others.map(({ id }) => ({ fromId: kept.id, toId: id, type: 'supersedes', confidence: null }))
    await insertLinks(tx, scope, links)
    return archived
  })
}
