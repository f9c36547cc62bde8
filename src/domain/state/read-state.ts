import type { UserContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { wordsOfQuery } from '../memories/terms.ts'
import { parseInput } from '../parse-input.ts'
import {
  countState,
  type FoundState,
  findState,
  measureState,
  rankState,
  type StateRow,
  selectNamespaces,
  selectState,
} from './queries.ts'
import { ListNamespacesInput, ListStateInput, SearchStateInput, StatePlace } from './schemas.ts'

/** One answer is in memory as a whole. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024

/** The value of a key; undefined if it has none. */
export function getState(ctx: UserContext, input: unknown): Promise<StateRow | undefined> {
  return findState(ctx.services.db, ctx.caller, parseInput(StatePlace, input))
}

/** Values below a namespace prefix, newest first, and how many there are. `payload_too_large` for more than 32 MiB: ask for fewer. */
export async function listState(
  ctx: UserContext,
  input: unknown,
): Promise<{ items: readonly StateRow[]; total: number }> {
  const { limit, offset, ...area } = parseInput(ListStateInput, input)
  const { db } = ctx.services
  const { total, bytes } = await measureState(db, ctx.caller, area, { limit, offset })
  if (bytes > MAX_ANSWER_BYTES) {
    throw new GatewayError('payload_too_large', 'The values are too long for one answer. Ask for fewer by limit.', {
      details: { bytes, max_bytes: MAX_ANSWER_BYTES },
    })
  }
  return { items: await selectState(db, ctx.caller, area, { limit, offset }), total }
}

/**
 * The values below a namespace prefix, ranked by the words that their texts share with the query, then the newest first; what shares
 * none has the score 0. `total`: how many were ranked.
 */
export async function searchState(
  ctx: UserContext,
  input: unknown,
): Promise<{ items: readonly FoundState[]; total: number }> {
  const { query, limit, ...area } = parseInput(SearchStateInput, input)
  const { db } = ctx.services
  const items = await rankState(db, ctx.caller, area, wordsOfQuery(query), limit)
  return { items, total: await countState(db, ctx.caller, area) }
}

/** The namespaces that hold a value, and how many there are. */
export function listNamespaces(
  ctx: UserContext,
  input: unknown,
): Promise<{ namespaces: readonly string[][]; total: number }> {
  const { limit, offset, maxDepth, ...area } = parseInput(ListNamespacesInput, input)
  return selectNamespaces(ctx.services.db, ctx.caller, area, { maxDepth, limit, offset })
}
