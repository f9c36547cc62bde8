import type { DeletedWithFacts } from '../../../domain/memories/delete-with-facts.ts'
import { type AppendedTurns, appendTurns } from '../../../domain/transcripts/append-turns.ts'
import { deleteTurns } from '../../../domain/transcripts/delete-turns.ts'
import { listTurns } from '../../../domain/transcripts/list-turns.ts'
import { transcriptSubject } from '../../../domain/transcripts/transcript-subject.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { parsePart } from '../errors.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { toDeleted, toTurn } from './mapping.ts'
import { actAsNamed } from './named-user.ts'
import { AppendBody, DeleteHistoryBody, ListHistoryBody } from './schemas.ts'

const SKIPPED = { items: [], request_ids: [], status: 'skipped' }
/** What is stored counts as an add, and `appendTurns` knows what that is. */
const APPEND = { scope: 'write', overQuota: SKIPPED, body: 'json' } as const
const LIST = { scope: 'read', uses: { searches: 1 }, overQuota: { items: [], total: 0 }, body: 'json' } as const
const DELETE = { scope: 'write', body: 'json' } as const

export function addHistoryRoutes(router: Router): void {
  addRoute(router, 'POST', '/v1/history/append', APPEND, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(AppendBody, 'body', await readBody(c))
      const { tenant_id: _tenant, user_id, session_id: sessionId, ...rest } = input
      const ctx = await actAsNamed(c, sender, user_id)
      await claim.begin(ctx, input)
      const render = ({ turns, extracted }: AppendedTurns) =>
        answer(200, {
          items: turns.map(({ turn, created }) => ({ ...toTurn(turn), created })),
          request_ids: extracted ? [ctx.requestId] : [],
          status: 'ok' as const,
        })
      const subject = () => ({ sessionId: transcriptSubject(sessionId) })
      return render(await appendTurns(ctx, { ...rest, sessionId }, claim.keep(render, subject)))
    }),
  )

  addRoute(router, 'POST', '/v1/history/list', LIST, async (c, sender) => {
    const { user_id, session_id: sessionId, source, limit } = parsePart(ListHistoryBody, 'body', await readBody(c))
    const { turns, total } = await listTurns(await actAsNamed(c, sender, user_id), { sessionId, source, limit })
    return c.json({ items: turns.map(toTurn), total })
  })

  addRoute(router, 'POST', '/v1/history/delete', DELETE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(DeleteHistoryBody, 'body', await readBody(c))
      const { user_id, session_id: sessionId, ids, source, delete_derived_facts: withFacts } = input
      const ctx = await actAsNamed(c, sender, user_id)
      await claim.begin(ctx, input)
      const which = sessionId === undefined ? { ids } : { sessionId }
      const render = (deleted: DeletedWithFacts) => answer(200, toDeleted(deleted))
      return render(await deleteTurns(ctx, { source, which, withFacts }, claim.keep(render)))
    }),
  )
}
