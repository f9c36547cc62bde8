import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Answer, Game, Request, Step } from './game.ts'
import { type Player, sessionKey, spaces, type Write } from './player.ts'

// Writes with an Idempotency-Key: however often one is sent, and wherever, it has one effect and one answer.

type Ask = (wanted: Request) => Promise<Answer>

/** How often the machine may be too slow, and how long the first of two requests may take. */
const ATTEMPTS = 5
const RUNNING_MS = 20_000

export const newKey = () => randomUUID()

export function withKey(request: Request, key: string): Request {
  return { ...request, headers: { ...request.headers, 'idempotency-key': key } }
}

/** Whether a repetition is answered; who erases themself has no key left to repeat it with. */
export function isWrite({ method, path }: Request): boolean {
  return method !== 'GET' && path !== '/memories/search' && !/^\/users\/[^/]+$/.test(path)
}

/** Sends it, at times twice at once; then again, which must have no other effect; then something else with the same key. */
export async function askOnce(game: Game, me: Player, step: Step, wanted: Request): Promise<Answer> {
  const request = withKey(wanted, chooseKey(game, me, step, wanted))
  const elsewhere = { ...step, variant: step.variant + 7 }
  const answer =
    step.pick % 4 === 0
      ? await askTwice(
          () => game.askPlainly(me, step, request),
          () => game.askPlainly(me, elsewhere, request),
        )
      : await game.askPlainly(me, step, request)
  if (isReplayed(answer)) throw new Error(`Answered as a repetition: ${shown(request, answer)}`)
  if (answer.status >= 300) return answer
  const write = { request, answer, subject: subjectOf(step, wanted, answer), isErased: false }
  await expectRepeated(game, write, asFirstKey(game, me, elsewhere))
  if (step.pick % 3 === 0) await expectOther(game, request, asFirstKey(game, me, step))
  me.writes.push(write)
  return answer
}

/** Leaves before the answer, and asks again for it until there is one; undefined if the gateway cannot have got it whole. */
export async function abandonAndRepeat(
  game: Game,
  me: Player,
  step: Step,
  wanted: Request,
): Promise<Answer | undefined> {
  const request = withKey(wanted, chooseKey(game, me, step, wanted))
  if (await game.abandon(me, step, request)) return undefined
  const ask = asFirstKey(game, me, { ...step, variant: step.variant + 7 })
  const deadline = Date.now() + RUNNING_MS
  let answer = await ask(request)
  while (isRunning(answer)) {
    if (Date.now() > deadline) throw new Error(`Still being worked on: ${shown(request, answer)}`)
    await pause(20)
    answer = await ask(request)
  }
  if (answer.status < 300) {
    const write = { request, answer, subject: subjectOf(step, wanted, answer), isErased: false }
    await expectRepeated(game, write, ask)
    me.writes.push(write)
  }
  return answer
}

/** Repeats one of the player's writes, long after it. */
export async function repeatLater(game: Game, me: Player, step: Step): Promise<void> {
  const write = me.writes[step.pick % (me.writes.length || 1)]
  if (!write) return
  const ask = asFirstKey(game, me, step)
  if (!write.isErased) return expectRepeated(game, write, ask)
  const answer = await patiently(game, () => ask(write.request))
  if (answer && answer.status !== 404) throw new Error(`Spoke of what is deleted: ${shown(write.request, answer)}`)
}

export async function expectRepeated(game: Game, { request, answer }: Write, ask: Ask): Promise<void> {
  const again = await patiently(game, () => ask(request))
  if (!again) return
  const isSame = again.status === answer.status && again.bytes.equals(answer.bytes)
  if (!isSame || !isReplayed(again) || again.headers.location !== answer.headers.location) {
    throw new Error(`Repeated with another answer: ${shown(request, answer)}\n${shown(request, again)}`)
  }
  game.world.counts.repeated += 1
}

/** Another request with the same key is refused. */
export async function expectOther(game: Game, request: Request, ask: Ask): Promise<void> {
  const answer = await patiently(game, () => ask(changed(request)))
  if (answer && !(answer.status === 422 && speaksOfKey(answer))) {
    throw new Error(`Another request was taken for the same: ${shown(request, answer)}`)
  }
}

async function askTwice(...both: readonly [() => Promise<Answer>, () => Promise<Answer>]): Promise<Answer> {
  const answers = await Promise.all(both.map((ask) => ask()))
  const done = answers.filter(({ status }) => status < 300)
  const effects = done.filter((answer) => !isReplayed(answer))
  if (done.length > 0 && effects.length !== 1) {
    const all = answers.map(({ status, bytes }) => `${status} ${bytes.toString().slice(0, 300)}`)
    throw new Error(`Sent twice at once, and done ${effects.length} times:\n${all.join('\n')}`)
  }
  const [first] = effects
  if (first && done.some(({ bytes }) => !bytes.equals(first.bytes)))
    throw new Error('Sent twice, and answered otherwise.')
  return first ?? answers.find((answer) => !isRunning(answer)) ?? (answers[0] as Answer)
}

/** A new one, or one that somebody else sent on the same route: to them it is another. */
function chooseKey(game: Game, me: Player, step: Step, wanted: Request): string {
  const route = routeOf(wanted)
  const sent = game.sentKeys.get(route) ?? []
  const foreign = sent.filter((key) => !me.usedKeys.has(key))
  const key = (step.pick % 5 > 1 && foreign[step.pick % (foreign.length || 1)]) || newKey()
  me.usedKeys.add(key)
  game.sentKeys.set(route, [...sent, key])
  return key
}

function routeOf({ method, path }: Request): string {
  return `${method} ${path.replaceAll(/(?<=^\/(?:sessions|resources|users|operations)\/|\/keys\/)[^/]+/g, '*')}`
}

/** By the player's first key, which is never revoked. */
function asFirstKey(game: Game, me: Player, step: Step): Ask {
  return (wanted) => game.askWith(me, step, wanted, { key: me.keys[0]?.secret ?? '' })
}

function subjectOf({ space }: Step, { method, path, json, form }: Request, answer: Answer): string | undefined {
  if (path.startsWith('/memories/')) {
    const fields = json ?? form ?? {}
    const at = spaces.findIndex(({ project_id }) => project_id === fields.project_id)
    return sessionKey(at < 0 ? space : at, String(fields.session_id))
  }
  const isStored = (method === 'POST' && path === '/resources') || method === 'PATCH'
  return isStored ? answer.json.resource_id : undefined
}

/** The request with other content; one that has none, of something else. */
function changed(request: Request): Request {
  const { json, form, files, path } = request
  if (json?.messages) return { ...request, json: { ...json, messages: [{ role: 'user', content: 'another' }] } }
  const [name] = ['title', 'session_id', 'user_id'].filter((field) => json?.[field] !== undefined)
  if (json && name) return { ...request, json: { ...json, [name]: `${String(json[name])}2` } }
  if (form && files) {
    return {
      ...request,
      files: files.map((file) => ({ ...file, body: Buffer.concat([Buffer.from(file.body), Buffer.from(' 2')]) })),
    }
  }
  return { ...request, path: path.replace(/[^/]+(?=(?:\/retry|\/keys)?$)/, '$&2') }
}

function isReplayed({ headers }: Answer): boolean {
  return headers['idempotent-replayed'] === 'true'
}

function isRunning(answer: Answer): boolean {
  return answer.status === 409 && speaksOfKey(answer)
}

function speaksOfKey({ json }: Answer): boolean {
  return String(json?.error?.message).includes('Idempotency-Key')
}

/** Undefined if the machine is too slow for an answer. */
async function patiently(game: Game, ask: () => Promise<Answer>): Promise<Answer | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const answer = await ask()
    if (answer.status !== 503 && answer.status !== 429) return answer
    game.world.counts.slow += 1
  }
  return undefined
}

function shown({ method, path }: Request, { status, bytes }: Answer): string {
  return `${method} ${path} answered ${status} ${bytes.toString().slice(0, 500)}`
}
