import type { Game, Request, Step } from './game.ts'
import { expectOther, expectRepeated, newKey, withKey } from './once.ts'
import type { Operation } from './operations.ts'
import { unknownUser } from './operations-memories.ts'
import { unknownId } from './operations-resources.ts'
import type { Player } from './player.ts'

/** Makes the player known to the gateway. */
export async function enrol(game: Game, me: Player): Promise<void> {
  const step = { operation: '', who: 0, space: 0, session: 0, pick: 0, variant: 0 }
  const request = withKey(createRequest(me.id), newKey())
  me.enrolment = request
  const answer = await game.askWith(undefined, step, request, {})
  if (answer.status !== 201) throw new Error(`POST /users answered ${answer.status}`)
  me.keys.push({ id: undefined, secret: answer.json.user_key, isRevoked: false })
  me.own.add(answer.json.user_key)
}

const createRequest = (id: string) => ({ method: 'POST', path: '/users', json: { user_id: id } })
const keysPath = (user: string) => `/users/${user}/keys`

function anyone(path: string): Operation {
  return {
    weight: 0.5,
    async run(game, me, step) {
      const answer = await game.askWith(undefined, step, { method: 'GET', path }, {})
      game.expect(me, answer, 200)
    },
  }
}

function otherUser(game: Game, me: Player, step: Step) {
  return { foreign: game.other(me, step.pick).id, unknown: unknownUser() }
}

export const userOperations: Readonly<Record<string, Operation>> = {
  'GET /health': anyone('/health'),
  'GET /ready': anyone('/ready'),
  'GET /metrics': anyone('/metrics'),

  'POST /users': {
    weight: 0.5,
    async run(game, me, step) {
      const taken = await game.askWith(undefined, step, createRequest(game.other(me, step.pick).id), {})
      game.expect(me, taken, 409)
      const request = withKey(createRequest(unknownUser()), newKey())
      const answer = await game.askWith(undefined, step, request, {})
      if (!game.expect(me, answer, 201)) return
      const ask = (wanted: Request) => game.askWith(undefined, step, wanted, {})
      await expectRepeated(game, { request, answer, subject: undefined, isErased: false }, ask)
      await expectOther(game, request, ask)
    },
  },
  'POST /users/{user_id}/keys': {
    weight: 1,
    async run(game, me, step) {
      const answer = await game.ask(me, step, { method: 'POST', path: keysPath(me.id) })
      if (!game.expect(me, answer, 201)) return
      const { key_id: id, user_key: secret } = answer.json
      me.keys.push({ id, secret, isRevoked: false })
      for (const own of [id, secret]) me.own.add(own)
    },
  },
  "POST /users/{user_id}/keys (another's)": {
    weight: 1,
    async run(game, me, step) {
      const ids = otherUser(game, me, step)
      const answer = await game.askForeign(me, step, ids, (id) => ({ method: 'POST', path: keysPath(id) }))
      game.expect(me, answer, 404)
    },
  },
  'GET /users/{user_id}/keys': {
    weight: 1,
    async run(game, me, step) {
      const answer = await game.ask(me, step, { method: 'GET', path: keysPath(me.id) })
      if (!game.expect(me, answer, 200)) return
      const count = answer.json.keys.length
      if (count !== me.validKeys().length) throw new Error(`${count} keys, not ${me.validKeys().length}`)
      for (const { key_id: id } of answer.json.keys) me.own.add(id)
    },
  },
  "GET /users/{user_id}/keys (another's)": {
    weight: 1,
    async run(game, me, step) {
      const ids = otherUser(game, me, step)
      const answer = await game.askForeign(me, step, ids, (id) => ({ method: 'GET', path: keysPath(id) }))
      game.expect(me, answer, 404)
    },
  },
  'DELETE /users/{user_id}/keys/{key_id}': {
    weight: 1,
    async run(game, me, step) {
      const key = me.keys.filter(({ id }) => id !== undefined)[step.pick % me.keys.length]
      if (!key || (me.validKeys().length < 2 && !key.isRevoked)) return
      const answer = await game.ask(me, step, { method: 'DELETE', path: `${keysPath(me.id)}/${key.id}` })
      game.expect(me, answer, key.isRevoked ? 404 : 204)
      if (answer.status === 204) key.isRevoked = true
    },
  },
  "DELETE /users/{user_id}/keys/{key_id} (another's)": {
    weight: 1,
    async run(game, me, step) {
      const other = game.stranger(me, step.pick)
      const foreign = other.keys.find(({ id }) => id !== undefined)?.id ?? unknownId('key')
      const owner = step.variant % 2 === 0 ? me : other
      const path = (id: string) => `${keysPath(owner.id)}/${id}`
      const ids = { foreign, unknown: unknownId('key') }
      game.expect(me, await game.askForeign(me, step, ids, (id) => ({ method: 'DELETE', path: path(id) })), 404)
    },
  },
  'GET /sessions (with a revoked key)': {
    weight: 1,
    async run(game, me, step) {
      const key = me.keys.find(({ isRevoked }) => isRevoked)
      if (!key) return
      const answer = await game.askWith(me, step, { method: 'GET', path: '/sessions' }, { key: key.secret })
      game.expect(me, answer, 401)
    },
  },
  "GET /resources (with one's own key, as another user)": {
    weight: 2,
    async run(game, me, step) {
      const key = me.validKeys()[0]?.secret ?? ''
      const wanted = {
        method: step.pick % 2 === 0 ? 'GET' : 'POST',
        path: '/resources',
        ...(step.pick % 2 && { form: {} }),
      }
      const { foreign, unknown } = otherUser(game, me, step)
      const answers = []
      for (const userId of [foreign, unknown]) answers.push(await game.askWith(me, step, wanted, { key, userId }))
      const [one, other] = answers.map(({ status, json }) =>
        JSON.stringify([status, { ...json.error, request_id: '' }]),
      )
      if (one !== other) throw new Error(`Another user is told from an unknown one:\n${one}\n${other}`)
      for (const answer of answers) game.expect(me, answer, 401)
    },
  },
}
