import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Answer, Game, Request, Step } from './game.ts'
import { abandonAndRepeat } from './once.ts'
import type { Operation } from './operations.ts'
import { type Player, type StoredFile, sessionKey, sessionNames, spaces } from './player.ts'

const png = readFileSync('fixtures/files/picture.png')
/** Everybody's messages have the same times, and different ones of a session do too. */
const TIME = 1_700_000_000_000

export interface MadeFile {
  readonly kind: 'doc' | 'image' | 'html'
  readonly name: string
  readonly bytes: Buffer
}

/** A file of the kind that the variant asks for, under the name that everybody uses. */
export function makeFile(me: Player, tag: string, variant: number): MadeFile {
  if (variant % 4 === 1) {
    // The mark begins at a multiple of three bytes.
    const padding = Buffer.alloc((3 - (png.length % 3)) % 3)
    return { kind: 'image', name: 'shared.png', bytes: Buffer.concat([png, padding, me.file(tag, 30)]) }
  }
  if (variant % 4 === 2) {
    const page = `<!doctype html><title>x</title><body><p>${tag} ${me.mark}`
    return { kind: 'html', name: 'shared.html', bytes: Buffer.from(`${page} ${me.mark}</p></body>`) }
  }
  // Large ones are spooled to the disk, and go to the backend as base64.
  return { kind: 'doc', name: 'shared.txt', bytes: me.file(tag, variant % 32 === 3 ? 300_000 : 60) }
}

function sessionOf(step: Step): string {
  return sessionNames[step.session % sessionNames.length] ?? 'notes'
}

/** Asks with JSON, or with a form, what `content` says in one message. */
function addRequest(step: Step, message: object, files: readonly MadeFile[] | undefined): Request {
  const place = { session_id: sessionOf(step), ...spaces[step.space] }
  const timed = { timestamp: TIME + (step.pick % 3), ...message }
  if (!files) return { method: 'POST', path: '/memories/add', json: { ...place, messages: [timed] } }
  return {
    method: 'POST',
    path: '/memories/add/multipart',
    form: { ...place, messages: JSON.stringify([timed]) },
    files: files.map(({ name, bytes }, index) => ({ name: `file${index}`, fileName: name, body: bytes })),
  }
}

function compose(me: Player, step: Step, isMultipart: boolean) {
  const { tag, text } = me.say()
  const files = isMultipart || step.variant % 3 === 0 ? [makeFile(me, tag, step.variant)] : []
  const items = files.map(({ kind, name, bytes }, index) =>
    isMultipart
      ? { type: kind, upload_id: `file${index}` }
      : { type: kind, name, ext: name.split('.')[1], base64: bytes.toString('base64') },
  )
  const content = items.length > 0 ? [{ type: 'text', text }, ...items] : text
  // A sender who is not the user has the same name with everybody.
  const isOfUser = step.pick % 5 > 0
  const sender = isOfUser ? { role: 'user', sender_id: me.id } : { role: 'assistant', sender_id: 'helper' }
  return { tag, isOfUser, files, request: addRequest(step, { ...sender, content }, isMultipart ? files : undefined) }
}

function remember(me: Player, step: Step, { tag, isOfUser, files }: ReturnType<typeof compose>, answer: Answer): void {
  const stored: StoredFile[] = files.map(({ bytes }, index) => ({
    id: answer.json.attachments[index].attachment_id,
    bytes,
    isDeleted: false,
  }))
  const id = answer.json.message_ids[0]
  me.messagesOf(step.space, sessionOf(step)).push({ tag, id, isOfUser, files: stored })
  me.files.push(...stored)
  for (const own of [id, ...stored.map((file) => file.id)]) me.own.add(own)
}

async function add(game: Game, me: Player, step: Step, isMultipart: boolean): Promise<void> {
  const composed = compose(me, step, isMultipart)
  const answer = await game.ask(me, step, composed.request)
  game.expect(me, answer, 200)
  if (answer.status < 300) remember(me, step, composed, answer)
}

async function abandonAdd(game: Game, me: Player, step: Step, isMultipart: boolean): Promise<void> {
  const composed = compose(me, step, isMultipart)
  if (step.pick % 2 === 0) {
    const answer = await abandonAndRepeat(game, me, step, composed.request)
    if (answer && game.expect(me, answer, 200, 202)) remember(me, step, composed, answer)
    return
  }
  const isRefused = await game.abandon(me, step, composed.request)
  if (!isRefused) me.uncertain.add(sessionKey(step.space, sessionOf(step)))
}

export const unknownUser = () => `user.${randomBytes(8).toString('hex')}`
const unknownResource = () => `r_${randomBytes(16).toString('hex')}`

/** The names of two sessions that are the gateway's own: of another user's resource, and of nothing. */
export function reservedSessions(game: Game, me: Player, step: Step): { foreign: string; unknown: string } {
  const other = game.other(me, step.pick)
  const resource = other.resources[step.pick % (other.resources.length || 1)]?.id ?? unknownResource()
  return { foreign: `resource:${other.id}:${resource}`, unknown: `resource:${unknownUser()}:${unknownResource()}` }
}

const scopes = [
  ['current_chat'],
  ['resources'],
  ['all_user_memory'],
  ['current_chat', 'resources'],
  ['current_chat', 'resources', 'all_user_memory'],
]

function searchRequest(step: Step, query: string, session: string): Request {
  const scope = scopes[step.variant % scopes.length] ?? []
  const json = { ...spaces[step.space], query, scope, session_id: session, top_k: 1 + (step.pick % 100) }
  return { method: 'POST', path: '/memories/search', json }
}

export function checkResults(me: Player, answer: Answer): void {
  for (const { session_id, resource_id, attachments } of answer.json.results) {
    const resource = me.resources.find((row) => row.id === resource_id)
    if (resource_id !== undefined && !resource && !me.isUncertainOfResources) {
      throw new Error(`Found in a resource ${resource_id} that was never stored`)
    }
    if (resource?.isDeleted) throw new Error(`Found in the deleted resource ${resource_id}`)
    for (const { attachment_id } of attachments) {
      if (me.files.find((file) => file.id === attachment_id)?.isDeleted)
        throw new Error(`Found with the deleted file ${attachment_id} of ${session_id}`)
    }
  }
}

export const memoryOperations: Readonly<Record<string, Operation>> = {
  'POST /memories/add/multipart': { weight: 6, run: (game, me, step) => add(game, me, step, true) },
  'POST /memories/add/multipart (broken off)': { weight: 1, run: (game, me, step) => abandonAdd(game, me, step, true) },
  'POST /memories/add': { weight: 6, run: (game, me, step) => add(game, me, step, false) },
  'POST /memories/add (broken off)': { weight: 1, run: (game, me, step) => abandonAdd(game, me, step, false) },

  'POST /memories/add (as another sender)': {
    weight: 2,
    async run(game, me, step) {
      const ids = { foreign: game.other(me, step.pick).id, unknown: unknownUser() }
      const isMultipart = step.variant % 2 === 0
      const answer = await game.askForeign(me, step, ids, (id) =>
        addRequest(step, { role: 'user', sender_id: id, content: me.say().text }, isMultipart ? [] : undefined),
      )
      game.expect(me, answer, 403)
    },
  },
  "POST /memories/add (to another's resource)": {
    weight: 2,
    async run(game, me, step) {
      const content = me.say().text
      const answer = await game.askForeign(me, step, reservedSessions(game, me, step), (id) => ({
        method: 'POST',
        path: '/memories/add',
        json: { ...spaces[step.space], session_id: id, messages: [{ role: 'user', content }] },
      }))
      game.expect(me, answer, 422)
    },
  },
  'POST /memories/add (an address)': {
    weight: 1,
    async run(game, me, step) {
      const item = { type: 'image', uri: `${game.world.canary.url}/${me.mark}`, ext: 'png' }
      game.expect(me, await game.ask(me, step, addRequest(step, { role: 'user', content: [item] }, undefined)), 422)
    },
  },

  'POST /memories/flush': {
    weight: 4,
    async run(game, me, step) {
      const session = sessionOf(step)
      const json = { ...spaces[step.space], session_id: session }
      const answer = await game.ask(me, step, { method: 'POST', path: '/memories/flush', json })
      const name = sessionKey(step.space, session)
      if (me.sessions.get(name)?.length) game.expect(me, answer, 200)
      else game.expect(me, answer, 404, ...(me.uncertain.has(name) || me.hadFaults ? [200] : []))
    },
  },
  "POST /memories/flush (another's resource)": {
    weight: 1,
    async run(game, me, step) {
      const answer = await game.askForeign(me, step, reservedSessions(game, me, step), (id) => ({
        method: 'POST',
        path: '/memories/flush',
        json: { ...spaces[step.space], session_id: id },
      }))
      game.expect(me, answer, 422)
    },
  },

  'POST /memories/search': {
    weight: 7,
    async run(game, me, step) {
      const answer = await game.ask(me, step, searchRequest(step, `${me.mark} harbour`, sessionOf(step)))
      if (game.expect(me, answer, 200)) checkResults(me, answer)
    },
  },
  "POST /memories/search (another's resource)": {
    weight: 2,
    async run(game, me, step) {
      const { foreign, unknown } = reservedSessions(game, me, step)
      for (const session of [foreign, unknown]) {
        const wanted = searchRequest({ ...step, variant: 0 }, `${me.mark} harbour`, session)
        const answer = await game.ask(me, step, wanted)
        game.expect(me, answer, 200)
        if (answer.status === 200 && answer.json.results.length > 0) throw new Error(`Found in ${session}`)
      }
    },
  },
  'POST /memories/search (broken off)': {
    weight: 1,
    run: async (game, me, step) => {
      await game.abandon(me, step, searchRequest(step, `${me.mark} harbour`, sessionOf(step)))
    },
  },
}
