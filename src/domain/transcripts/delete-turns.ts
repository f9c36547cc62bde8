import type { Database } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { eraseAnswersOfSessions } from '../idempotency/queries.ts'
import { deleteFacts } from '../memories/delete-facts.ts'
import { type DeletedPage, type DeletedWithFacts, deleteWithFacts } from '../memories/delete-with-facts.ts'
import { parseInput } from '../parse-input.ts'
import { deleteSomeTurns, type TurnsToDelete } from './queries.ts'
import { DeleteTurnsInput } from './schemas.ts'
import { transcriptSubject } from './transcript-subject.ts'

/** One transaction deletes so many turns: memories take their time. */
const PAGE = 5_000
const PAGE_WITH_FACTS = 100

/**
 * Deletes turns for good; with `withFacts` the memories that were drawn from them too. Those that are unknown or another's are left
 * out. Answers that are kept under an `Idempotency-Key` and speak of their sessions go as well. Many go page by page: if that is
 * interrupted, doing it again deletes the rest.
 */
export async function deleteTurns(
  ctx: UserContext,
  input: unknown,
  also: AlsoStore<DeletedWithFacts> = nothingElse,
): Promise<DeletedWithFacts> {
  const { source, which, withFacts } = parseInput(DeleteTurnsInput, input)
  return deleteWithFacts(ctx, (tx) => deletePage(tx, ctx, { source, ...which }, withFacts), also)
}

async function deletePage(
  tx: Database,
  ctx: UserContext,
  which: TurnsToDelete,
  withFacts: boolean,
): Promise<DeletedPage> {
  const limit = withFacts ? PAGE_WITH_FACTS : PAGE
  const turns = await deleteSomeTurns(tx, ctx.caller, which, limit)
  const ids = turns.map(({ id }) => id).toSorted((one, other) => one - other)
  const gone = withFacts ? await deleteFacts(tx, ctx, 'turn', ids) : { facts: [], objects: [] }
  const subjects = new Set(turns.map(({ sessionId }) => transcriptSubject(sessionId)))
  await eraseAnswersOfSessions(tx, ctx.caller, [...subjects])
  const [first, last] = [ids.at(0), ids.at(-1)]
  if (first !== undefined && last !== undefined) {
    const target = first === last ? `h_${first}` : `h_${first}..h_${last}`
    await recordAudit(tx, ctx, { action: 'transcript.delete', target })
  }
  return { isLast: turns.length < limit, ids, ...gone }
}
