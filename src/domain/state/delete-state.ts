import type { Database } from '../../db/database.ts'
import { recordAudits } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { eraseAnswersOfSessions } from '../idempotency/queries.ts'
import { deleteFacts } from '../memories/delete-facts.ts'
import { type DeletedPage, type DeletedWithFacts, deleteWithFacts } from '../memories/delete-with-facts.ts'
import { parseInput } from '../parse-input.ts'
import { deleteSomeState, type StateToDelete } from './queries.ts'
import { DeleteStateInput } from './schemas.ts'

/** One transaction deletes so many values: memories take their time. */
const PAGE = 1_000
const PAGE_WITH_FACTS = 100

/** By which kept answers that speak of a value are found when it is deleted. */
export function stateSubject(id: number): string {
  return `state:${id}`
}

/**
 * Deletes the values of some keys, or of a whole namespace, for good; with `withFacts` the memories that were drawn from them too.
 * Answers that are kept under an `Idempotency-Key` and speak of them go as well. Many go page by page: if that is interrupted, doing
 * it again deletes the rest.
 */
export async function deleteState(
  ctx: UserContext,
  input: unknown,
  also: AlsoStore<DeletedWithFacts> = nothingElse,
): Promise<DeletedWithFacts> {
  const { withFacts, ...which } = parseInput(DeleteStateInput, input)
  return deleteWithFacts(ctx, (tx) => deletePage(tx, ctx, which, withFacts), also)
}

async function deletePage(
  tx: Database,
  ctx: UserContext,
  which: StateToDelete,
  withFacts: boolean,
): Promise<DeletedPage> {
  const limit = withFacts ? PAGE_WITH_FACTS : PAGE
  const ids = which.keys?.length === 0 ? [] : await deleteSomeState(tx, ctx.caller, which, limit)
  const gone = withFacts ? await deleteFacts(tx, ctx, 'state', ids) : { facts: [], objects: [] }
  await eraseAnswersOfSessions(tx, ctx.caller, ids.map(stateSubject))
  const targets = ids.map((id) => `h_${id}`)
  await recordAudits(tx, ctx, 'state.delete', targets)
  return { isLast: ids.length < limit, ids, ...gone }
}
