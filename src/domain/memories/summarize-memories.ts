import { createHash } from 'node:crypto'
import { inTransaction } from '../../db/database.ts'
import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { forEachUser, selectComparable } from './compare-texts.ts'
import { insertLinks, selectSummarised } from './link-queries.ts'
import { CLUSTER_SIZE, clusterTexts } from './memory-clusters.ts'
import { asOwner, unknownMemory } from './memory-scope.ts'
import { lockMemories, type MemoryRow, selectMemories } from './queries.ts'
import { MAX_AT_ONCE, MAX_CONTENT, MAX_TAGS } from './schemas.ts'
import { type StoredMemory, storeMemories } from './store-memories.ts'
import { summarizeTexts } from './summarize-texts.ts'

export interface SummarizeInput {
  /** Of one user; left out: groups of related memories that no summary speaks of yet, of each user of the scope. */
  readonly ids?: readonly string[] | undefined
  /** Leave out nothing of the memories that `ids` names: the summary is their texts, oldest first. Without it, it is shorter than they are. */
  readonly verbatim?: boolean | undefined
}

export interface MemorySummary {
  readonly memory: MemoryRow
  /** Ids of the memories that it speaks of. They stay as they are, in sight. */
  readonly of: readonly string[]
  /** What wrote it. */
  readonly by: 'model' | 'rules'
  /** False: these memories had this summary before. */
  readonly isNew: boolean
}

export interface SummarizeReport {
  readonly summaries: readonly MemorySummary[]
  /** Memories that were compared to find groups; 0 if ids were given. */
  readonly compared: number
  /** False: there is more to do than was done now. */
  readonly complete: boolean
}

type TurnContext = ServiceContext & { readonly turn: Disposable }

/** So many groups of one user are summarised at a time: each may be a call of the model. */
const MOST_SUMMARIES = 20

/**
 * Stores summaries of memories, each linked (`summary_of`) with those that it speaks of. `not_found` if one of the ids is not in sight,
 * `invalid_request` if they are of several users. `also` is done at the end.
 */
export async function summarizeMemories(
  ctx: TurnContext,
  scope: MemoryScope,
  { ids, verbatim }: SummarizeInput,
  also: AlsoStore<SummarizeReport> = nothingElse,
): Promise<SummarizeReport> {
  if (ids === undefined) {
    const done = await summarizeClusters(ctx, scope)
    await inTransaction(ctx.services.db, (tx) => also(tx, done))
    return done
  }
  const sources = await requireSources(ctx, scope, [...new Set(ids)])
  const report = (summary: MemorySummary) => ({ summaries: [summary], compared: 0, complete: true })
  return report(await summarize(ctx, scope, sources, { verbatim, also: (tx, summary) => also(tx, report(summary)) }))
}

async function requireSources(ctx: ServiceContext, scope: MemoryScope, ids: readonly string[]): Promise<MemoryRow[]> {
  if (ids.length === 0 || ids.length > MAX_AT_ONCE) {
    throw new GatewayError('invalid_request', `Name 1 to ${MAX_AT_ONCE} memories to summarise.`)
  }
  const found = await selectMemories(ctx.services.db, scope, { ids }, { limit: ids.length, order: 'asc' })
  if (found.length < ids.length) {
    const known = new Set(found.map(({ id }) => id))
    throw refuseUnknownMemory(ctx, scope, ids.find((id) => !known.has(id)) ?? '')
  }
  if (new Set(found.map(({ userId }) => userId)).size > 1) {
    throw new GatewayError('invalid_request', 'Memories of several users cannot be summarised together.')
  }
  return found
}

async function summarizeClusters(ctx: TurnContext, scope: MemoryScope): Promise<SummarizeReport> {
  const { db } = ctx.services
  const summaries: MemorySummary[] = []
  let [compared, complete] = [0, true]
  const gotToAll = await forEachUser(ctx, scope, async (own) => {
    const { texts, isWhole } = await selectComparable(ctx, own)
    const taken = await selectSummarised(
      db,
      own,
      texts.map(({ id }) => id),
    )
    const clusters = await clusterTexts(
      texts.filter(({ id }) => !taken.has(id)),
      ctx.signal,
    )
    for (const cluster of clusters.slice(0, MOST_SUMMARIES)) {
      const ids = cluster.texts.map(({ id }) => id)
      const sources = await selectMemories(db, own, { ids }, { limit: ids.length, order: 'asc' })
      const made = await summarizeUnlessTaken(ctx, own, sources)
      if (made?.isNew) summaries.push(made)
    }
    compared += texts.length
    complete &&= isWhole && clusters.length <= MOST_SUMMARIES
  })
  return { summaries, compared, complete: complete && gotToAll }
}

/** Ends the transaction of a summary whose memories changed or were summarised meanwhile. */
class Overtaken extends Error {}

async function summarizeUnlessTaken(
  ctx: TurnContext,
  scope: MemoryScope & { userId: string },
  sources: readonly MemoryRow[],
): Promise<MemorySummary | undefined> {
  if (sources.length < CLUSTER_SIZE) return undefined
  try {
    return await summarize(ctx, scope, sources, { unlessTaken: true })
  } catch (error) {
    if (error instanceof Overtaken) return undefined
    throw error
  }
}

async function summarize(
  ctx: TurnContext,
  scope: MemoryScope,
  sources: readonly MemoryRow[],
  {
    also = nothingElse,
    unlessTaken = false,
    verbatim = false,
  }: { also?: AlsoStore<MemorySummary>; unlessTaken?: boolean; verbatim?: boolean | undefined },
): Promise<MemorySummary> {
  const [first] = sources
  if (!first) throw unknownMemory()
  const ids = sources.map(({ id }) => id)
  const texts = sources.map(({ content }) => content)
  const { summary, keyPoints, by } = verbatim ? joinTexts(texts) : await summarizeTexts(ctx, texts)
  const result = ({ memory, outcome }: StoredMemory) => ({ memory, of: ids, by, isNew: outcome === 'stored' })
  const memory = {
    content: (summary.trim() || first.content).slice(0, MAX_CONTENT),
    keyPoints: keyPoints.slice(0, 64).map((point) => point.slice(0, 1_000)),
    type: mostCommonType(sources),
    importance: Math.max(...sources.map(({ importance }) => importance)),
    confidence: Math.min(...sources.map(({ confidence }) => confidence)),
    tags: [...new Set(sources.flatMap(({ tags }) => tags))].slice(0, MAX_TAGS),
    source: 'summary',
    isSummary: true,
    clientRef: `${verbatim ? 'texts' : 'summary'}:${hashOf(sources)}`,
  }
  const [stored] = await storeMemories(asOwner(ctx, first), [{ memory }], {}, async (tx, [made]) => {
    if (!made) throw new Error('A summary was not stored.')
    if (made.outcome === 'stored') {
      const inSight = (await lockMemories(tx, scope, ids)).filter(({ archivedAt }) => archivedAt === null)
      if (inSight.length < ids.length) throw unlessTaken ? new Overtaken() : unknownMemory()
      if (unlessTaken && (await selectSummarised(tx, first, ids)).size > 0) throw new Overtaken()
      const links = ids.map((toId) => ({ fromId: made.memory.id, toId, type: 'summary_of', confidence: null }))
      await insertLinks(tx, first, links)
    }
    await also(tx, result(made))
  })
  if (!stored) throw new Error('A summary was not stored.')
  return result(stored)
}

function joinTexts(texts: readonly string[]) {
  const summary = texts.join('\n')
  if (summary.length > MAX_CONTENT) {
    throw new GatewayError('invalid_request', `These memories have more than ${MAX_CONTENT} characters together.`)
  }
  return { summary, keyPoints: [], by: 'rules' as const }
}

/** The same memories, saying the same, have one summary. */
function hashOf(sources: readonly MemoryRow[]): string {
  const said = sources
    .map(({ id, content }) => [id, content])
    .toSorted(([one = ''], [other = '']) => (one < other ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(said)).digest('hex')
}

function mostCommonType(sources: readonly MemoryRow[]): string {
  const byType = [...Map.groupBy(sources, ({ type }) => type)]
  const [most] = byType.toSorted(([, one], [, other]) => other.length - one.length)
  return most?.[0] ?? 'fact'
}
