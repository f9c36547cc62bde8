import { inTransaction } from '../../db/database.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { selectComparable } from './compare-texts.ts'
import { archiveLocked } from './delete-memories.ts'
import { insertLinks, selectLinksOfType } from './link-queries.ts'
import { unknownMemory } from './memory-scope.ts'
import { lockMatching, type MemoryRow, selectMemories } from './queries.ts'
import { contradicts } from './rules/same-statement.ts'
import { similarPairs } from './similar-pairs.ts'

type UserScope = MemoryScope & { readonly userId: string }

export interface Contradiction {
  /** The older one first. */
  readonly memories: readonly [MemoryRow, MemoryRow]
  /** `rules`: nearly the same words, and one denies them. `caller`: somebody linked them as a `contradiction`. */
  readonly by: 'rules' | 'caller'
}

export interface ContradictionReport {
  readonly contradictions: readonly Contradiction[]
  /** False: there are more memories than were compared. */
  readonly complete: boolean
}

/** Two texts of which one denies the other differ by a word or two: in Chinese, by pairs of characters that are compared. */
const SIMILAR_FROM = 0.7
const CONTRADICTION = 'contradiction'

/**
 * Pairs of a user's memories that cannot both hold: those that a caller said so of, then those that the rules find. What contradicts in other
 * words ("lives in Lisbon", "lives in Porto") is not found.
 */
export async function findContradictions(
  ctx: ServiceContext,
  scope: UserScope,
  { limit }: { readonly limit: number },
): Promise<ContradictionReport> {
  const { texts, isWhole } = await selectComparable(ctx, scope)
  const similar = await similarPairs(texts, SIMILAR_FROM, ctx.signal)
  const said = await selectLinksOfType(ctx.services.db, scope, CONTRADICTION)
  const pairs = [
    ...said.map(({ fromId, toId }) => ({ ids: [fromId, toId] as const, by: 'caller' as const })),
    ...similar.map(({ one, other }) => ({ ids: [one, other] as const, by: 'rules' as const })),
  ]
  const rows = await rowsOf(ctx, scope, [...new Set(pairs.flatMap(({ ids }) => ids))])
  const found = new Map<string, Contradiction>()
  for (const { ids, by } of pairs) {
    const [one, other] = ids.flatMap((id) => rows.get(id) ?? []).toSorted((a, b) => a.number - b.number)
    if (!one || !other || (by === 'rules' && !contradicts(one.content, other.content))) continue
    const key = `${one.id} ${other.id}`
    if (!found.has(key)) found.set(key, { memories: [one, other], by })
  }
  return { contradictions: [...found.values()].slice(0, limit), complete: isWhole && found.size <= limit }
}

const PAGE = 500

async function rowsOf(ctx: ServiceContext, scope: UserScope, ids: readonly string[]): Promise<Map<string, MemoryRow>> {
  const rows = new Map<string, MemoryRow>()
  for (let start = 0; start < ids.length; start += PAGE) {
    const page = ids.slice(start, start + PAGE)
    for (const row of await selectMemories(ctx.services.db, scope, { ids: page }, { limit: PAGE, order: 'asc' })) {
      rows.set(row.id, row)
    }
  }
  return rows
}

export interface ResolvedContradiction {
  readonly winner: MemoryRow
  readonly loser: MemoryRow
}

/**
 * Settles which of two memories holds: the other one is archived, and superseded by it. By their numbers. `not_found` if one is not in
 * sight, `invalid_request` if they do not contradict each other.
 */
export async function resolveContradiction(
  ctx: ServiceContext,
  scope: UserScope,
  { winner, loser }: { readonly winner: number; readonly loser: number },
  also: AlsoStore<ResolvedContradiction> = nothingElse,
): Promise<ResolvedContradiction> {
  return inTransaction(ctx.services.db, async (tx) => {
    const locked = await lockMatching(tx, scope, { numbers: [winner, loser] })
    const [won, lost] = [winner, loser].map((number) => locked.find((row) => row.number === number))
    if (!won || !lost || won === lost) throw unknownMemory()
    const said = await selectLinksOfType(tx, scope, CONTRADICTION, [won.id, lost.id])
    if (said.length === 0 && !contradicts(won.content, lost.content)) {
      throw new GatewayError('invalid_request', 'These memories do not contradict each other.')
    }
    await archiveLocked(tx, ctx, [lost], won.id)
    await insertLinks(tx, scope, [{ fromId: won.id, toId: lost.id, type: 'supersedes', confidence: null }])
    const resolved = { winner: won, loser: lost }
    await also(tx, resolved)
    return resolved
  })
}
