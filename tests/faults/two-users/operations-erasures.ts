import { type SQL, sql } from 'drizzle-orm'
import type { Answer, Game, Step } from './game.ts'
import { isWrite, withKey } from './once.ts'
import type { Operation } from './operations.ts'
import { unknownUser } from './operations-memories.ts'
import { unknownId } from './operations-resources.ts'
import { enrol } from './operations-users.ts'
import { Player, type Receipt, type ScopeRow, type StoredFile, spaces } from './player.ts'
import type { World } from './world.ts'

const userPath = (id: string) => `/users/${id}`
const receiptPath = (id: string) => `/erasures/${id}`

export function extentOf(sessions: number, messages: number, files: readonly StoredFile[]): Receipt['extent'] {
  return { sessions, messages, objects: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes.length, 0) }
}

/** Keeps the receipt that the answer to a deletion names. */
export function keepReceipt(me: Player, answer: Answer, kind: Receipt['kind'], extent: Receipt['extent']): string {
  const id = /^\/erasures\/(era_\w+)$/.exec(String(answer.headers.location))?.[1]
  if (id === undefined) throw new Error(`A deletion without a receipt: ${JSON.stringify(answer.headers)}`)
  me.receipts.push({ id, kind, extent })
  me.own.add(id)
  return id
}

/** Reads a receipt as anybody, with a key or none: its id is the secret. */
export async function readReceipt(game: Game, me: Player, step: Step, receipt: Receipt): Promise<Answer['json']> {
  const wanted = { method: 'GET', path: receiptPath(receipt.id) }
  const isKeyless = step.variant % 2 === 0
  const answer = isKeyless ? await game.askWith(undefined, step, wanted, {}) : await game.ask(me, step, wanted)
  if (!game.expect(me, answer, 200)) return undefined
  const { erasure_id: id, kind, status, requested_by: by, sessions, messages, objects, bytes } = answer.json
  if (id !== receipt.id || kind !== receipt.kind || by !== 'user' || !['processing', 'done'].includes(status)) {
    throw new Error(`Another receipt than was given: ${answer.bytes.toString()}`)
  }
  if (receipt.extent && JSON.stringify({ sessions, messages, objects, bytes }) !== JSON.stringify(receipt.extent)) {
    throw new Error(`${answer.bytes.toString()} was ${JSON.stringify(receipt.extent)}`)
  }
  return answer.json
}

/** All that the player has, if it is known for certain. */
function extentOfUser(me: Player): Receipt['extent'] {
  if (me.uncertain.size > 0 || me.isUncertainOfResources) return undefined
  const chats = [...me.sessions.values()].filter(({ length }) => length > 0)
  const resources = me.liveResources()
  const messages = chats.flat()
  const files = [...messages.flatMap((message) => message.files), ...resources.map(({ file }) => file)]
  return extentOf(chats.length + resources.length, messages.length + resources.length, files)
}

/** Erases the player; somebody new takes their name and place, and must find nothing. */
async function erase(game: Game, me: Player, step: Step): Promise<void> {
  const isRacing = step.variant % 3 === 0
  const extent = isRacing ? undefined : extentOfUser(me)
  const secrets = me.keys.map(({ secret }) => secret)
  const request = { method: 'DELETE', path: userPath(me.id) }
  const racing = isRacing ? writeMeanwhile(game, me, step) : []
  const answer = await game.askPlainly(me, step, step.pick % 2 === 0 ? request : withKey(request, `erase-${me.mark}`))
  if (answer.status !== 202) {
    await Promise.all(racing)
    return void game.expect(me, answer, 202)
  }
  game.world.counts.erased += 1
  game.world.erasedMarks.add(me.mark)
  const erasureId = keepReceipt(me, answer, 'user', extent)
  if (answer.json.erasure_id !== erasureId) throw new Error('The answer names another receipt than its header.')
  for (const [at, key] of secrets.entries()) {
    const path = ['/sessions', '/operations', '/resources'][at % 3] ?? '/sessions'
    const late = { ...step, variant: step.variant + 7 * at }
    game.expect(me, await game.askWith(me, late, { method: 'GET', path }, { key }), 401)
  }
  await Promise.all(racing)
  const again = await game.askWith(undefined, step, me.enrolment ?? request, {})
  if (again.status !== 404) throw new Error(`The erased user was made again by a repetition: ${again.status}`)
  await succeed(game, me, step, erasureId)
}

/** Writes that are under way while their user is erased: what is answered does not matter, nothing of it may stay. */
function writeMeanwhile(game: Game, me: Player, step: Step): Promise<unknown>[] {
  const place = { session_id: 'chat:shared', ...spaces[step.space] }
  const message = (content: unknown) => [{ role: 'user', sender_id: me.id, content }]
  const { tag, text } = me.say()
  const file = { name: 'racing', fileName: 'racing.txt', body: me.file(tag, 300_000) }
  const content = [{ type: 'doc', upload_id: 'racing' }]
  return [
    { method: 'POST', path: '/memories/add', json: { ...place, messages: message(text) } },
    {
      method: 'POST',
      path: '/memories/add/multipart',
      form: { ...place, messages: JSON.stringify(message(content)) },
      files: [file],
    },
    { method: 'POST', path: '/memories/flush', json: place },
  ].map((wanted, at) => {
    const own = { ...step, variant: step.variant + 7 * at }
    return game.askPlainly(me, own, isWrite(wanted) ? withKey(wanted, `racing-${me.mark}`) : wanted)
  })
}

async function succeed(game: Game, me: Player, step: Step, erasureId: string): Promise<void> {
  const { world } = game
  const [erased] = await world.rows<{ user_id: string }>(sql`select user_id from erasures where id = ${erasureId}`)
  const userId = erased?.user_id ?? ''
  const scopes = await selectScopes(world, sql`${userId}`)
  const objects = await world.rows<{ object_key: string }>(
    sql`select object_key from attachments where user_id = ${userId} and state = 'stored'`,
  )
  // The name is the successor's.
  me.own.delete(me.id)
  const next = new Player(me.mark.at(-1) ?? 'a', me.id)
  const objectKeys = objects.map((row) => row.object_key)
  next.former.push({ player: me, userId, scopes, objectKeys }, ...me.former.splice(0))
  world.join(next)
  game.players[game.players.indexOf(me)] = next
  await enrol(game, next)
  await expectNothing(game, next, step, me.mark)
}

/** Of the user whose id of ours the query gives. */
export function selectScopes(world: World, userId: SQL): Promise<ScopeRow[]> {
  return world.rows<ScopeRow>(
    sql`select app_id, upstream_project_id, upstream_sender_id,
          array_to_json(array(select upstream_session_id from sessions where sessions.scope_id = scopes.id)) as sessions
        from scopes where user_id in (${userId})`,
  )
}

async function expectNothing(game: Game, me: Player, step: Step, mark: string): Promise<void> {
  for (const name of ['sessions', 'resources', 'operations'] as const) {
    const query = name === 'operations' ? {} : { ...spaces[step.space] }
    const answer = await game.ask(me, step, { method: 'GET', path: `/${name}`, query })
    if (game.expect(me, answer, 200) && answer.json[name].length > 0) throw new Error(`A new user has ${name}.`)
  }
  const json = { ...spaces[step.space], query: `${mark} harbour`, scope: ['all_user_memory'], top_k: 100 }
  const answer = await game.ask(me, step, { method: 'POST', path: '/memories/search', json })
  if (game.expect(me, answer, 200) && answer.json.results.length > 0) throw new Error('A new user finds something.')
}

export const erasureOperations: Readonly<Record<string, Operation>> = {
  'DELETE /users/{user_id}': { weight: 1.5, run: erase },
  "DELETE /users/{user_id} (another's)": {
    weight: 1,
    async run(game, me, step) {
      const ids = { foreign: game.other(me, step.pick).id, unknown: unknownUser() }
      game.expect(me, await game.askForeign(me, step, ids, (id) => ({ method: 'DELETE', path: userPath(id) })), 404)
    },
  },
  'GET /erasures/{erasure_id}': {
    weight: 2,
    async run(game, me, step) {
      const receipts = [me, ...me.former.map(({ player }) => player)].flatMap((player) => player.receipts)
      const receipt = receipts[step.pick % (receipts.length || 1)]
      if (receipt) await readReceipt(game, me, step, receipt)
    },
  },
  "GET /erasures/{erasure_id} (another's)": {
    weight: 1,
    async run(game, me, step) {
      const { receipts } = game.stranger(me, step.pick)
      const receipt = receipts[step.variant % (receipts.length || 1)]
      if (receipt) await readReceipt(game, me, step, receipt)
      const unknown = { method: 'GET', path: receiptPath(unknownId('era')) }
      game.expect(me, await game.ask(me, step, unknown), 404)
    },
  },
}
