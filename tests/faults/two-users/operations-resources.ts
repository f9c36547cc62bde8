import { randomBytes } from 'node:crypto'
import type { Answer, Game, Request, Step } from './game.ts'
import { abandonAndRepeat } from './once.ts'
import type { Operation } from './operations.ts'
import { extentOf, keepReceipt } from './operations-erasures.ts'
import { makeFile } from './operations-memories.ts'
import { type Player, type StoredFile, type StoredResource, spaces } from './player.ts'

const lowerCase = '0123456789abcdefghijklmnopqrstuvwxyz'
export const unknownId = (prefix: string) =>
  `${prefix}_${[...randomBytes(24)].map((byte) => lowerCase[byte % lowerCase.length]).join('')}`

function composeResource(me: Player, step: Step) {
  const { tag } = me.say()
  const file = makeFile(me, tag, step.variant)
  const title = step.pick % 3 === 0 ? `shared title ${me.mark} ${tag}` : undefined
  const form = { ...spaces[step.space], ...(title !== undefined && { title }) }
  const files = [{ name: 'file', fileName: file.name, body: file.bytes }]
  const headers: Record<string, string> = step.pick % 4 === 1 ? { prefer: 'respond-async' } : {}
  const request: Request = { method: 'POST', path: '/resources', form, files, headers }
  return { tag, title, file, request }
}

async function rememberResource(
  game: Game,
  me: Player,
  step: Step,
  { tag, title, file }: ReturnType<typeof composeResource>,
  answer: Answer,
): Promise<void> {
  const { resource_id: id } = answer.json
  const { json } = await game.ask(me, step, { method: 'GET', path: one(id) })
  const stored = { id: json.attachment_id, bytes: file.bytes, isDeleted: false }
  const isFindable = file.kind !== 'image' || title !== undefined
  me.resources.push({ id, space: step.space, tag, file: stored, isFindable, title: title ?? null, isDeleted: false })
  me.files.push(stored)
  for (const own of [id, stored.id]) me.own.add(own)
}

/** A resource of the player's, also a deleted one; undefined if they never had any. */
function anyResource(player: Player, pick: number): StoredResource | undefined {
  return player.resources[pick % (player.resources.length || 1)]
}

function foreignResource(game: Game, me: Player, step: Step): { foreign: string; unknown: string } {
  const unknown = () => `r_${randomBytes(16).toString('hex')}`
  const foreign = anyResource(game.stranger(me, step.pick), step.variant)?.id
  return { foreign: foreign ?? unknown(), unknown: unknown() }
}

/** One request about a resource: of the player's own, where there is one. */
function about(method: string, path: (id: string) => string, more: (me: Player) => Partial<Request> = () => ({})) {
  return async (game: Game, me: Player, step: Step, then: (row: StoredResource, answer: Answer) => void) => {
    const row = anyResource(me, step.pick)
    if (!row) return
    const answer = await game.ask(me, step, { method, path: path(row.id), ...more(me) })
    if (row.isDeleted) game.expect(me, answer, 404)
    else then(row, answer)
  }
}

function foreign(weight: number, method: string, path: (id: string) => string, more: Partial<Request> = {}): Operation {
  return {
    weight,
    async run(game, me, step) {
      const answer = await game.askForeign(me, step, foreignResource(game, me, step), (id) => ({
        method,
        path: path(id),
        ...more,
      }))
      game.expect(me, answer, 404)
    },
  }
}

/** Downloads a file of the player's, whole or in part. */
async function download(game: Game, me: Player, step: Step, path: string, file: StoredFile): Promise<void> {
  const isPart = step.variant % 4 === 0
  const headers: Record<string, string> = isPart ? { range: 'bytes=5-24' } : {}
  const answer = await game.ask(me, step, { method: 'GET', path, headers })
  if (file.isDeleted) return void game.expect(me, answer, 404)
  game.expect(me, answer, isPart ? 206 : 200)
  const wanted = isPart ? file.bytes.subarray(5, 25) : file.bytes
  if (answer.status < 300 && !answer.bytes.equals(wanted)) throw new Error(`${path} gave other bytes than were stored`)
}

const one = (id: string) => `/resources/${id}`
const content = (id: string) => `/resources/${id}/content`
const retry = (id: string) => `/resources/${id}/retry`
const getOne = about('GET', one)
const removeOne = about('DELETE', one)
const retryOne = about('POST', retry)

export function deleteFile(file: StoredFile): void {
  file.isDeleted = true
}

export async function listResources(game: Game, me: Player, step: Step): Promise<void> {
  const query = { ...spaces[step.space], limit: '200' }
  const answer = await game.ask(me, step, { method: 'GET', path: '/resources', query })
  if (!game.expect(me, answer, 200)) return
  const listed = new Map<string, string | null>(
    answer.json.resources.map((row: { resource_id: string; title: string | null }) => [row.resource_id, row.title]),
  )
  for (const { id, title, tag } of me.liveResources(step.space)) {
    if (!listed.has(id)) throw new Error(`The resource ${id} (${tag}) is not listed.`)
    if (listed.get(id) !== title) throw new Error(`The resource ${id} has the title ${listed.get(id)}, not ${title}`)
    listed.delete(id)
  }
  for (const id of listed.keys()) {
    if (me.resources.some((row) => row.id === id)) throw new Error(`The deleted resource ${id} is listed.`)
  }
  if (listed.size > 0 && !me.isUncertainOfResources)
    throw new Error(`Listed but not stored: ${[...listed.keys()].join()}`)
}

export const resourceOperations: Readonly<Record<string, Operation>> = {
  'POST /resources': {
    weight: 6,
    async run(game, me, step) {
      const composed = composeResource(me, step)
      const answer = await game.ask(me, step, composed.request)
      game.expect(me, answer, ...(composed.request.headers?.prefer ? [202] : [201]))
      if (answer.status < 300) await rememberResource(game, me, step, composed, answer)
    },
  },
  'POST /resources (broken off)': {
    weight: 1,
    async run(game, me, step) {
      const composed = composeResource(me, step)
      if (step.pick % 2 === 0) {
        const answer = await abandonAndRepeat(game, me, step, composed.request)
        if (answer && game.expect(me, answer, 201, 202)) await rememberResource(game, me, step, composed, answer)
      } else if (!(await game.abandon(me, step, composed.request))) me.isUncertainOfResources = true
    },
  },
  'GET /resources': { weight: 3, run: listResources },
  'GET /resources/{resource_id}': {
    weight: 2,
    run: (game, me, step) =>
      getOne(game, me, step, (row, answer) => {
        game.expect(me, answer, 200)
        if (answer.json.title !== row.title) throw new Error(`The title is ${answer.json.title}, not ${row.title}`)
      }),
  },
  "GET /resources/{resource_id} (another's)": foreign(2, 'GET', one),
  'PATCH /resources/{resource_id}': {
    weight: 2,
    async run(game, me, step) {
      const title = `changed ${me.mark} ${me.say().tag}`
      await about('PATCH', one, () => ({ json: { title } }))(game, me, step, (row, answer) => {
        if (game.expect(me, answer, 200)) row.title = title
      })
    },
  },
  "PATCH /resources/{resource_id} (another's)": foreign(2, 'PATCH', one, { json: { title: 'taken over' } }),
  'DELETE /resources/{resource_id}': {
    weight: 2,
    run: (game, me, step) =>
      removeOne(game, me, step, (row, answer) => {
        if (!game.expect(me, answer, 204)) return
        keepReceipt(me, answer, 'resource', extentOf(1, 1, [row.file]))
        me.eraseAnswersOf(row.id)
        row.isDeleted = true
        deleteFile(row.file)
      }),
  },
  "DELETE /resources/{resource_id} (another's)": foreign(2, 'DELETE', one),
  'POST /resources/{resource_id}/retry': {
    weight: 2,
    run: (game, me, step) => retryOne(game, me, step, (_row, answer) => void game.expect(me, answer, 202, 409)),
  },
  "POST /resources/{resource_id}/retry (another's)": foreign(1, 'POST', retry),
  'GET /resources/{resource_id}/content': {
    weight: 3,
    async run(game, me, step) {
      const row = anyResource(me, step.pick)
      if (row) await download(game, me, step, content(row.id), row.file)
    },
  },
  "GET /resources/{resource_id}/content (another's)": foreign(2, 'GET', content),
  'GET /attachments/{attachment_id}/content': {
    weight: 3,
    async run(game, me, step) {
      const file = me.files[step.pick % (me.files.length || 1)]
      if (file) await download(game, me, step, `/attachments/${file.id}/content`, file)
    },
  },
  "GET /attachments/{attachment_id}/content (another's)": {
    weight: 3,
    async run(game, me, step) {
      const { files } = game.stranger(me, step.pick)
      const ids = {
        foreign: files[step.variant % (files.length || 1)]?.id ?? unknownId('att'),
        unknown: unknownId('att'),
      }
      const path = (id: string) => `/attachments/${id}/content`
      game.expect(me, await game.askForeign(me, step, ids, (id) => ({ method: 'GET', path: path(id) })), 404)
    },
  },
}
