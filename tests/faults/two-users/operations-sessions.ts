import type { Game, Step } from './game.ts'
import type { Operation } from './operations.ts'
import { extentOf, keepReceipt } from './operations-erasures.ts'
import { reservedSessions } from './operations-memories.ts'
import { deleteFile } from './operations-resources.ts'
import { type Player, sessionKey, sessionNames, spaces } from './player.ts'

function nameOf(step: Step): string {
  return sessionNames[step.session % sessionNames.length] ?? 'notes'
}

const messagesPath = (session: string) => `/sessions/${encodeURIComponent(session)}/messages`
const sessionPath = (session: string) => `/sessions/${encodeURIComponent(session)}`

export async function listSessions(game: Game, me: Player, step: Step): Promise<void> {
  const query = { ...spaces[step.space], limit: '200' }
  const answer = await game.ask(me, step, { method: 'GET', path: '/sessions', query })
  if (!game.expect(me, answer, 200)) return
  const listed = new Set<string>(answer.json.sessions.map((row: { session_id: string }) => row.session_id))
  for (const name of sessionNames) {
    const key = sessionKey(step.space, name)
    const hasMessages = (me.sessions.get(key)?.length ?? 0) > 0
    if (hasMessages && !listed.has(name)) throw new Error(`The session ${name} is not listed.`)
    if (!hasMessages && listed.has(name) && !me.uncertain.has(key)) throw new Error(`The session ${name} is listed.`)
  }
  for (const { id } of me.liveResources(step.space)) {
    if (!listed.has(`resource:${me.id}:${id}`)) throw new Error(`The session of the resource ${id} is not listed.`)
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked at freely in tests
type Message = any

/** The states of the session's messages, by tag, after checking that they are those that were stored. */
export async function listMessages(game: Game, me: Player, step: Step): Promise<Map<string, string>> {
  const name = nameOf(step)
  const key = sessionKey(step.space, name)
  const query = { ...spaces[step.space], limit: '200' }
  const answer = await game.ask(me, step, { method: 'GET', path: messagesPath(name), query })
  const wanted = me.sessions.get(key) ?? []
  const isUncertain = me.uncertain.has(key)
  if (wanted.length === 0) {
    game.expect(me, answer, 404, ...(isUncertain ? [200] : []))
    return new Map()
  }
  if (!game.expect(me, answer, 200)) return new Map()
  const states = new Map<string, string>()
  for (const message of answer.json.messages) states.set(tagOf(message), message.state)
  const count = answer.json.messages.length
  if (count !== states.size) throw new Error(`${name} has ${count} messages, but ${states.size} different ones`)
  const tags = wanted.map(({ tag }) => tag)
  const known = [...states.keys()].filter((tag) => tags.includes(tag))
  const missing = tags.filter((tag) => !states.has(tag))
  if (missing.length > 0) throw new Error(`${name} lacks ${missing.join()}`)
  if (!isUncertain && known.length !== states.size) throw new Error(`${name} has more: ${[...states.keys()].join()}`)
  // What failed is put behind what overtook it.
  if (!me.hadFaults && known.join() !== tags.join()) throw new Error(`${name} is in another order: ${known.join()}`)
  return states
}

function tagOf({ content }: Message): string {
  const text = content.find((item: Message) => item.type === 'text')?.text ?? ''
  return /t\d+x/.exec(text)?.[0] ?? text
}

export const sessionOperations: Readonly<Record<string, Operation>> = {
  'GET /sessions': { weight: 3, run: listSessions },
  'GET /sessions/{session_id}/messages': {
    weight: 4,
    run: async (game, me, step) => void (await listMessages(game, me, step)),
  },
  "GET /sessions/{session_id}/messages (another's resource)": {
    weight: 2,
    async run(game, me, step) {
      const answer = await game.askForeign(me, step, reservedSessions(game, me, step), (id) => ({
        method: 'GET',
        path: messagesPath(id),
        query: { ...spaces[step.space] },
      }))
      game.expect(me, answer, 404)
    },
  },
  'DELETE /sessions/{session_id}': {
    weight: 2,
    async run(game, me, step) {
      const name = nameOf(step)
      const key = sessionKey(step.space, name)
      const query = { ...spaces[step.space] }
      const answer = await game.ask(me, step, { method: 'DELETE', path: sessionPath(name), query })
      const messages = me.sessions.get(key) ?? []
      if (messages.length > 0) game.expect(me, answer, 204)
      else game.expect(me, answer, 404, ...(me.uncertain.has(key) ? [204] : []))
      if (answer.status !== 204) return
      const files = messages.flatMap((message) => message.files)
      const extent = me.uncertain.has(key) ? undefined : extentOf(1, messages.length, files)
      keepReceipt(me, answer, 'session', extent)
      me.eraseAnswersOf(key)
      me.sessions.delete(key)
      for (const file of files) deleteFile(file)
    },
  },
  "DELETE /sessions/{session_id} (another's resource)": {
    weight: 1,
    async run(game, me, step) {
      const answer = await game.askForeign(me, step, reservedSessions(game, me, step), (id) => ({
        method: 'DELETE',
        path: sessionPath(id),
        query: { ...spaces[step.space] },
      }))
      game.expect(me, answer, 404)
    },
  },
}
