import { z } from 'zod'
import type { UserContext } from '../../../domain/context.ts'
import {
  type Contradiction,
  findContradictions,
  type ResolvedContradiction,
  resolveContradiction,
} from '../../../domain/memories/contradictions.ts'
import { unknownMemory, userScope } from '../../../domain/memories/memory-scope.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { actAsEndUser } from '../auth.ts'
import { invalidFields, parsePart } from '../errors.ts'
import { toMemory } from '../mapping.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { DecisionBody, whole } from '../schemas.ts'

const DecisionQuery = z.object({ limit: whole(200, 50) })
/** A decision is named by the numbers of its two memories, the lower first. */
const DECISION = /^(\d{1,15})-(\d{1,15})$/

/** Which of two memories that contradict each other holds. */
export function addDecisionRoutes(router: Router): void {
  addRoute(router, 'GET', '/memory/decisions', { scope: 'read' }, async (c, sender) => {
    const { limit } = parsePart(DecisionQuery, 'query', c.req.query())
    const ctx = await actAsEndUser(c, sender)
    const { contradictions, complete } = await findContradictions(ctx, ownScope(ctx), { limit })
    return c.json({ decisions: contradictions.map(toDecision), total: contradictions.length, complete })
  })

  addRoute(router, 'POST', '/memory/decision/resolve', { scope: 'write', body: 'json' }, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(DecisionBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender)
      await claim.begin(ctx, input)
      const [, one, other] = DECISION.exec(input.decision_id) ?? []
      const sides = [Number(one), Number(other)]
      if (one === undefined || sides[0] === sides[1]) throw unknownMemory()
      const winner = input.winning_memory_id
      const loser = sides.find((side) => side !== winner)
      if (!sides.includes(winner) || loser === undefined) {
        const msg = 'winning_memory_id: must be one of the memories of the decision'
        throw invalidFields([{ type: 'value_error', loc: ['body', 'winning_memory_id'], msg }])
      }
      const render = (resolved: ResolvedContradiction) =>
        answer(200, {
          status: 'resolved',
          decision_id: input.decision_id,
          winning_memory_id: resolved.winner.number,
          archived_memory_id: resolved.loser.number,
        })
      return render(await resolveContradiction(ctx, ownScope(ctx), { winner, loser }, claim.keep(render)))
    }),
  )
}

function ownScope(ctx: UserContext) {
  return { ...userScope(ctx, ctx.caller.userId), userId: ctx.caller.userId }
}

function toDecision({ memories: [one, other], by }: Contradiction) {
  return {
    decision_id: `${one.number}-${other.number}`,
    type: 'contradiction',
    status: 'open',
    detected_by: by,
    memories: [toMemory(one), toMemory(other)],
  }
}
