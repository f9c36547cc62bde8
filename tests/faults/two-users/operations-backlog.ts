import { sql } from 'drizzle-orm'
import type { Answer, Game, Step } from './game.ts'
import type { Operation } from './operations.ts'
import { unknownId } from './operations-resources.ts'
import { type Player, sessionKey, sessionNames, spaces } from './player.ts'

const retry = (id: string) => `/operations/${id}/retry`
const adminRetry = (id: string) => `/admin${retry(id)}`
const states = new Set(['stored', 'relaying', 'unknown', 'rejected', 'failed'])

/** What the backend has not taken of the player's, after checking that all of it is theirs. */
export async function listOperations(game: Game, me: Player, step: Step): Promise<Answer['json'][]> {
  const answer = await game.ask(me, step, { method: 'GET', path: '/operations', query: { limit: '200' } })
  if (!game.expect(me, answer, 200)) return []
  for (const operation of answer.json.operations) {
    const { operation_id: id, status, session_id: session, resource_id: resource } = operation
    if (!states.has(status)) throw new Error(`The operation ${id} is ${status}.`)
    if (!isOwn(me, operation)) throw new Error(`An operation of ${session}, which is not there: ${resource}`)
    me.operations.add(id)
    me.own.add(id)
  }
  return answer.json.operations
}

function isOwn(me: Player, { app_id, session_id, resource_id }: Answer['json']): boolean {
  const space = spaces.findIndex((one) => one.app_id === app_id)
  if (resource_id !== undefined) {
    const row = me.resources.find(({ id }) => id === resource_id)
    return row ? !row.isDeleted && row.space === space : me.isUncertainOfResources
  }
  const key = sessionKey(space, session_id)
  return sessionNames.includes(session_id) && ((me.sessions.get(key)?.length ?? 0) > 0 || me.uncertain.has(key))
}

/** An id of another user's, whatever became of it in the backend, and one of nobody's. */
async function ofAnother(game: Game, me: Player, step: Step) {
  const rows = await game.world.rows<{ id: string }>(
    sql`select batches.id from batches join users on users.id = user_id where external_id = ${game.other(me, step.pick).id}`,
  )
  const [one, other] = [unknownId('bat'), unknownId('bat')]
  return { foreign: rows[step.variant % (rows.length || 1)]?.id ?? one, unknown: other }
}

export const backlogOperations: Readonly<Record<string, Operation>> = {
  'GET /operations': { weight: 3, run: async (game, me, step) => void (await listOperations(game, me, step)) },
  'POST /operations/{operation_id}/retry': {
    weight: 3,
    async run(game, me, step) {
      const [listed] = await listOperations(game, me, step)
      const seen = [...me.operations]
      const id = step.pick % 3 > 0 ? listed?.operation_id : seen[step.variant % (seen.length || 1)]
      if (id === undefined) return
      // Taken by now, or deleted.
      game.expect(me, await game.ask(me, step, { method: 'POST', path: retry(id) }), 202, 409, 404)
    },
  },
  "POST /operations/{operation_id}/retry (another's)": {
    weight: 2,
    async run(game, me, step) {
      const ids = await ofAnother(game, me, step)
      game.expect(me, await game.askForeign(me, step, ids, (id) => ({ method: 'POST', path: retry(id) })), 404)
    },
  },
  'GET /admin/operations': {
    weight: 1,
    async run(game, me, step) {
      game.expect(me, await game.ask(me, step, { method: 'GET', path: '/admin/operations' }), 401)
    },
  },
  'POST /admin/operations/{operation_id}/retry': {
    weight: 1,
    async run(game, me, step) {
      const [own] = me.operations
      const ids = await ofAnother(game, me, step)
      const foreign = step.variant % 2 === 0 && own !== undefined ? own : ids.foreign
      const make = (id: string) => ({ method: 'POST', path: adminRetry(id) })
      game.expect(me, await game.askForeign(me, step, { ...ids, foreign }, make), 401)
    },
  },
}
