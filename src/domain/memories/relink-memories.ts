import { inTransaction } from '../../db/database.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { forEachUser, selectComparable } from './compare-texts.ts'
import {
  deleteFoundLinks,
  FOUND_BY_GATEWAY,
  holdMemories,
  insertLinks,
  type NewLink,
  selectFoundLinks,
} from './link-queries.ts'
import { type SimilarPair, similarPairs } from './similar-pairs.ts'

export interface RelinkReport {
  /** Memories that were compared. */
  readonly compared: number
  readonly linksCreated: number
  readonly linksRemoved: number
  /** False: there are more than were compared now. */
  readonly complete: boolean
}

/** Memories that are at least so similar are linked, each with those most like it. */
const LINK_FROM = 0.35
const LINKS_EACH = 5
const AT_ONCE = 500

/** Rebuilds the `similar` links that the gateway finds. Those that a caller made stay. */
export async function relinkMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  also: AlsoStore<RelinkReport> = nothingElse,
): Promise<RelinkReport> {
  const report = { compared: 0, linksCreated: 0, linksRemoved: 0, complete: true }
  const gotToAll = await forEachUser(ctx, scope, async (own) => {
    const { texts, isWhole } = await selectComparable(ctx, own)
    const wanted = linksOf(await similarPairs(texts, LINK_FROM, ctx.signal))
    const ids = texts.map(({ id }) => id)
    for (let start = 0; start < ids.length; start += AT_ONCE) {
      const done = await rebuild(ctx, own, ids.slice(start, start + AT_ONCE), wanted)
      report.linksCreated += done.created
      report.linksRemoved += done.removed
    }
    report.compared += texts.length
    report.complete &&= isWhole
  })
  const done = { ...report, complete: report.complete && gotToAll }
  await inTransaction(ctx.services.db, (tx) => also(tx, done))
  return done
}

/** Each pair once, from the memory for which it is among the closest; by memory. */
function linksOf(pairs: readonly SimilarPair[]): Map<string, NewLink[]> {
  const near = new Map<string, { id: string; similarity: number }[]>()
  const put = (from: string, id: string, similarity: number) => {
    const list = near.get(from)
    if (list) list.push({ id, similarity })
    else near.set(from, [{ id, similarity }])
  }
  for (const { one, other, similarity } of pairs) {
    put(one, other, similarity)
    put(other, one, similarity)
  }
  const taken = new Set<string>()
  const links = new Map<string, NewLink[]>()
  for (const [fromId, others] of near) {
    const closest = others
      .toSorted((one, other) => other.similarity - one.similarity || (one.id < other.id ? -1 : 1))
      .slice(0, LINKS_EACH)
      .filter(({ id }) => !taken.has(`${id} ${fromId}`))
    for (const { id } of closest) taken.add(`${fromId} ${id}`)
    links.set(
      fromId,
      closest.map(({ id, similarity }) => ({
        fromId,
        toId: id,
        type: 'similar',
        confidence: similarity,
        metadata: FOUND_BY_GATEWAY,
      })),
    )
  }
  return links
}

/** The links from some memories of a user, as they should be. */
function rebuild(
  ctx: ServiceContext,
  owner: { userId: string },
  ids: readonly string[],
  wanted: ReadonlyMap<string, readonly NewLink[]>,
): Promise<{ created: number; removed: number }> {
  const links = ids.flatMap((id) => wanted.get(id) ?? [])
  return inTransaction(ctx.services.db, async (tx) => {
    const there = await holdMemories(tx, owner, [...new Set([...ids, ...links.map(({ toId }) => toId)])])
    const had = await selectFoundLinks(tx, owner, ids)
    const key = ({ fromId, toId }: { fromId: string; toId: string }) => `${fromId} ${toId}`
    const keep = new Set(links.map(key))
    const stale = had.filter((link) => !keep.has(key(link))).map(({ number }) => number)
    const removed = await deleteFoundLinks(tx, owner, stale)
    const possible = links.filter(({ fromId, toId }) => there.has(fromId) && there.has(toId))
    const created = await insertLinks(tx, owner, possible)
    return { created: created.length, removed }
  })
}
