import { type Dispatcher, request } from 'undici'
import type { EverosFault } from '../../helpers/fake-everos.ts'
import { multipartBody, multipartType, type Part } from '../../helpers/multipart.ts'
import { rawRequest } from '../../helpers/raw-request.ts'
import { hasUpstreamName, marksIn } from './marks.ts'
import { askOnce, isWrite } from './once.ts'
import type { Player } from './player.ts'
import type { World } from './world.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked at freely in tests
type Json = any

/** One step of a program. Small numbers, so that a failing program shrinks well. */
export interface Step {
  readonly operation: string
  readonly who: number
  readonly space: number
  readonly session: number
  /** Chooses among what there is: a resource, a key, another's id. */
  readonly pick: number
  /** Chooses how: where the key goes, what kind of file, which scopes, when to break off. */
  readonly variant: number
}

export interface Request {
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly json?: Readonly<Record<string, unknown>>
  readonly form?: Readonly<Record<string, string>>
  readonly files?: readonly Part[]
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
  readonly json: Json
  /** The backend had a part in it. */
  readonly isRelayed: boolean
}

/** What a program's step may do, and the oracle over all it is answered. */
export class Game {
  readonly world: World
  /** Who is erased gives their place to their successor. */
  readonly players: Player[]
  /** By route: the `Idempotency-Key`s that anybody has sent there. */
  readonly sentKeys = new Map<string, string[]>()

  constructor(world: World, players: Player[]) {
    this.world = world
    this.players = players
  }

  other(me: Player, pick: number): Player {
    const others = this.players.filter((player) => player !== me)
    return others[pick % others.length] as Player
  }

  /** All who play and have played. */
  everyone(): Player[] {
    return this.players.flatMap((player) => [player, ...player.former.map((former) => former.player)])
  }

  /** Somebody whose things are not the player's: another, or one who had any player's name before. */
  stranger(me: Player, pick: number): Player {
    const others = this.everyone().filter((player) => player !== me)
    return others[pick % others.length] as Player
  }

  /**
   * Sends a request as the user, by any of their keys in any place, and checks that nothing foreign comes back. A share of the writes has an
   * `Idempotency-Key`, and is repeated.
   */
  ask(me: Player, step: Step, wanted: Request): Promise<Answer> {
    const isOnce = isWrite(wanted) && Math.floor(step.variant / 11) % 3 === 0
    return isOnce ? askOnce(this, me, step, wanted) : this.askPlainly(me, step, wanted)
  }

  askPlainly(me: Player, step: Step, wanted: Request): Promise<Answer> {
    const keys = me.validKeys()
    const key = keys[step.pick % keys.length]?.secret ?? ''
    return this.askWith(me, step, wanted, { key })
  }

  async askWith(
    me: Player | undefined,
    step: Step,
    wanted: Request,
    identity: { key?: string; userId?: string },
  ): Promise<Answer> {
    const { url, agent, options, sent } = this.#prepare(step, wanted, identity)
    const { statusCode, headers, body } = await request(url, { ...options, dispatcher: agent })
    const bytes = Buffer.from(await body.arrayBuffer())
    const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
    const isJson = flat['content-type']?.startsWith('application/json')
    const json = isJson ? JSON.parse(bytes.toString()) : undefined
    const answer = { status: statusCode, headers: flat, bytes, json, isRelayed: isRelayed(wanted) }
    this.world.counts.requests += 1
    this.#check(me, wanted, answer, sent)
    return answer
  }

  /**
   * Sends a part of the request, or all of it, and leaves before the answer. True if the gateway cannot have got it
   * whole.
   */
  async abandon(me: Player, step: Step, wanted: Request): Promise<boolean> {
    this.world.counts.aborted += 1
    const { url, agent, options, sent } = this.#prepare(step, wanted, { key: me.validKeys()[0]?.secret ?? '' })
    const body = options.body
    const cut = Math.floor(((step.variant % 16) / 12) * (body?.length ?? 0))
    if (body && cut < body.length) {
      await rawRequest(url, { method: wanted.method, headers: options.headers, body, cutAfter: cut })
      return true
    }
    const leaving = new AbortController()
    const timer = setTimeout(() => leaving.abort(), step.variant % 40)
    try {
      const answer = await request(url, { ...options, dispatcher: agent, signal: leaving.signal })
      const bytes = Buffer.from(await answer.body.arrayBuffer())
      this.#check(me, wanted, { status: answer.statusCode, headers: {}, bytes }, sent)
    } catch {
      // Left in time.
    } finally {
      clearTimeout(timer)
    }
    return false
  }

  /** The same request with an id of somebody else's and with one of nothing: nobody can tell the answers apart. */
  async askForeign(
    me: Player,
    step: Step,
    ids: { foreign: string; unknown: string },
    make: (id: string) => Request,
  ): Promise<Answer> {
    let foreign = await this.ask(me, step, make(ids.foreign))
    let unknown = await this.ask(me, step, make(ids.unknown))
    for (let again = 0; again < 3 && (foreign.status === 503 || unknown.status === 503); again++) {
      this.world.counts.slow += 1
      foreign = await this.ask(me, step, make(ids.foreign))
      unknown = await this.ask(me, step, make(ids.unknown))
    }
    const [one, other] = [comparable(foreign, ids.foreign), comparable(unknown, ids.unknown)]
    if (one !== other) throw new Error(`A foreign id is answered otherwise than an unknown one:\n${one}\n${other}`)
    if (foreign.status < 400) throw new Error(`A foreign id was taken: ${foreign.status} ${foreign.bytes.toString()}`)
    return foreign
  }

  /** Throws unless the status is one of those wanted, or one that the backend's faults explain. */
  expect(me: Player, answer: Answer, ...statuses: number[]): boolean {
    if (statuses.includes(answer.status)) return true
    const isRefusal = [202, 415, 422, 429, 502, 503, 504].includes(answer.status)
    if (isRefusal && answer.isRelayed && me.hadFaults) return false
    // Too slow a machine is no fault of the gateway; how often it was is counted.
    if (answer.status === 503 || (answer.isRelayed && [202, 504].includes(answer.status))) {
      this.world.counts.slow += 1
      return false
    }
    throw new Error(`Answered ${answer.status}, not ${statuses.join(' or ')}: ${answer.bytes.toString().slice(0, 500)}`)
  }

  setFaults(me: Player, plan: readonly (EverosFault | undefined)[]): void {
    me.plan = plan
    if (plan.some((fault) => fault !== undefined)) me.hadFaults = true
  }

  #prepare(step: Step, wanted: Request, { key, userId }: { key?: string; userId?: string }) {
    const place = (['header', 'fields', 'query'] as const)[step.variant % 3]
    const headers: Record<string, string> = { ...wanted.headers }
    const query = new URLSearchParams(wanted.query)
    const fields = { ...(userId !== undefined && { user_id: userId }), ...(key !== undefined && { user_key: key }) }
    const inBody = place === 'fields' && (wanted.json ?? wanted.form) !== undefined
    if (place === 'header') {
      if (key !== undefined) headers.authorization = `Bearer ${key}`
      if (userId !== undefined) headers['x-user-id'] = userId
    } else if (!inBody) for (const [name, value] of Object.entries(fields)) query.set(name, value)
    const body = bodyOf(wanted, inBody ? fields : {})
    if (body) headers['content-type'] = wanted.form ? multipartType : 'application/json'
    const { url, agent } = this.world.replica(Math.floor(step.variant / 7))
    const search = query.size > 0 ? `?${query.toString()}` : ''
    const sent = `${wanted.path}${JSON.stringify(headers)}${search}${body?.toString('latin1') ?? ''}`
    const method = wanted.method as Dispatcher.HttpMethod
    return { url: `${url}${wanted.path}${search}`, agent, options: { method, headers, ...(body && { body }) }, sent }
  }

  /** The oracle: not one byte of anybody else's, but what the request itself said. */
  #check(
    me: Player | undefined,
    wanted: Request,
    answer: Pick<Answer, 'status' | 'headers' | 'bytes'>,
    sent: string,
  ): void {
    const text = JSON.stringify(answer.headers) + answer.bytes.toString('latin1')
    const leaks = [...marksIn(text)].filter((mark) => mark !== me?.mark)
    for (const player of this.everyone()) {
      if (player === me) continue
      for (const value of player.own) if (text.includes(value) && !sent.includes(value)) leaks.push(value)
    }
    if (hasUpstreamName(text)) leaks.push('a name of ours in the backend')
    const at = `${wanted.method} ${wanted.path} answered ${answer.status} to ${me?.mark ?? 'a stranger'}`
    if (leaks.length > 0) throw new Error(`FOREIGN: ${leaks.join(', ')}\n${at}: ${text.slice(0, 2_000)}`)
    if (answer.status === 500) throw new Error(`${at}: ${text.slice(0, 1_000)}`)
    const [line] = this.world.badLines.splice(0)
    if (line) throw new Error(`A secret in the log: ${line}`)
  }
}

function isRelayed({ method, path }: Request): boolean {
  return path.startsWith('/memories/') || (method === 'POST' && path === '/resources')
}

function bodyOf(wanted: Request, fields: Record<string, string>): Buffer | undefined {
  if (wanted.json) return Buffer.from(JSON.stringify({ ...wanted.json, ...fields }))
  if (!wanted.form) return undefined
  const texts = Object.entries({ ...fields, ...wanted.form }).map(([name, body]) => ({ name, body }))
  return multipartBody([...texts, ...(wanted.files ?? [])])
}

const OWN_HEADERS = new Set(['date', 'x-request-id', 'server-timing', 'connection', 'keep-alive'])

function comparable({ status, headers, bytes }: Answer, id: string): string {
  const kept = Object.entries(headers).filter(([name]) => !OWN_HEADERS.has(name))
  const body = bytes.toString().replace(/"request_id":"[^"]*"/, '')
  return JSON.stringify([status, kept, body]).replaceAll(id, '<id>').replaceAll(encodeURIComponent(id), '<id>')
}
