import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  EverosRefusal,
  type ExtractOnAdd,
  type FakeEpisode,
  FakeEverosMemory,
  type FakeMessage,
  type Filters,
  tokens,
} from './fake-everos-memory.ts'

/**
 * What happens to the next call of a route, once.
 * - `{ status, code }`: refused so, in EverOS's envelope; nothing is done.
 * - `reset`: the connection breaks before anything is done.
 * - `lost`: the call is carried out, then the connection breaks.
 * - `stall`: nothing is done, and no answer comes until the client leaves.
 * - `html`: a proxy's page with status 200; nothing is done.
 * - `dropped`: the models fail once the buffer is emptied: a 500, and what was to become a memory is nowhere.
 * - `dropped-and-lost`: the same, and the connection breaks.
 * - `nothing`: for a flush: it finds nothing to extract, and does nothing.
 */
export type EverosFault =
  | { readonly status: number; readonly code: string }
  | 'reset'
  | 'lost'
  | 'stall'
  | 'html'
  | 'dropped'
  | 'dropped-and-lost'
  | 'nothing'

export type EverosRoute = 'add' | 'flush' | 'search' | 'get' | 'delete' | 'health'

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  /** The parsed JSON body. */
  readonly body: Record<string, unknown>
}

export interface FakeEverosOptions {
  /** Default: both. */
  readonly versions?: readonly ('v1' | 'v2')[]
  /** Newest servers have `/delete` (v2 only). Default true. */
  readonly canDelete?: boolean
  /** What /health says of the embedding model. Default false: only keyword search. */
  readonly embed?: boolean
}

export interface FakeEveros {
  readonly url: string
  /** Every complete request, in order of arrival. */
  readonly requests: readonly RecordedRequest[]
  readonly memory: FakeEverosMemory
  /** Decides what an add extracts at once; default nothing. */
  set extractOnAdd(hook: ExtractOnAdd)
  /** Every answer of these routes waits so long. */
  delay(route: EverosRoute, milliseconds: number): void
  /** Queues a fault for the route's next call; several are used up in order. */
  failNext(route: EverosRoute, fault: EverosFault): void
  close(): Promise<void>
}

/** An EverOS on loopback, in memory and without models; what it says follows docs/everos.md. */
export async function startFakeEveros(options: FakeEverosOptions = {}): Promise<FakeEveros> {
  const memory = new FakeEverosMemory()
  const requests: RecordedRequest[] = []
  const faults = new Map<EverosRoute, EverosFault[]>()
  const delays = new Map<EverosRoute, number>()
  const server = createServer((request, response) => void handle(request, response))

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://fake').pathname
    const text = await readBody(request).catch(() => undefined)
    if (text === undefined) return
    const body = parseObject(text)
    requests.push({ method: request.method ?? '', path, headers: request.headers, body: body ?? {} })
    const route = routeOf(path, options)
    if (!route) return send(response, 404, { detail: 'Not Found' })
    if (request.method !== (route === 'health' ? 'GET' : 'POST'))
      return send(response, 405, { detail: 'Method Not Allowed' })
    await pause(delays.get(route) ?? 0)
    const fault = faults.get(route)?.shift()
    if (fault === 'stall') return
    if (fault === 'reset') return void request.socket.resetAndDestroy()
    if (fault === 'html') return sendPage(response)
    answer(route, body, fault, path, response)
  }

  function answer(
    route: EverosRoute,
    body: Record<string, unknown> | undefined,
    fault: EverosFault | undefined,
    path: string,
    response: ServerResponse,
  ): void {
    const request_id = randomUUID().replaceAll('-', '')
    try {
      if (typeof fault === 'object') throw new EverosRefusal(fault.status, fault.code, 'injected')
      if (route === 'health') return send(response, 200, health(options.embed ?? false))
      if (!body) throw new EverosRefusal(422, 'INVALID_INPUT', 'JSON decode error')
      if (fault === 'nothing') return send(response, 200, { request_id, data: { status: 'no_extraction' } })
      const isDropped = fault === 'dropped' || fault === 'dropped-and-lost'
      const data = isDropped
        ? memory.drop(() => routes[route](memory, body, false))
        : routes[route](memory, body, options.embed ?? false)
      if (fault === 'dropped') throw new EverosRefusal(500, 'INTERNAL_ERROR', 'Internal server error')
      if (fault === 'lost' || fault === 'dropped-and-lost') return void response.socket?.resetAndDestroy()
      send(response, 200, { request_id, data })
    } catch (error) {
      const { status, code, message } =
        error instanceof EverosRefusal ? error : new EverosRefusal(500, 'INTERNAL_ERROR', 'Internal server error')
      send(response, status, { request_id, error: { code, message, timestamp: new Date().toISOString(), path } })
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    memory,
    set extractOnAdd(hook: ExtractOnAdd) {
      memory.extractOnAdd = hook
    },
    delay: (route, milliseconds) => void delays.set(route, milliseconds),
    failNext: (route, fault) => void faults.set(route, [...(faults.get(route) ?? []), fault]),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Body = Record<string, unknown>
type SearchBody = { query?: string; method?: string; top_k?: number; min_score?: number; filters?: Filters }
type GetBody = { page?: number; page_size?: number; sort_order?: 'asc' | 'desc'; filters?: Filters }

const routes: Record<
  Exclude<EverosRoute, 'health'>,
  (memory: FakeEverosMemory, body: Body, embed: boolean) => object
> = {
  add(memory, body) {
    const messages = body.messages
    if (!Array.isArray(messages) || messages.length < 1 || messages.length > 500) throw invalid('messages: 1 to 500')
    for (const message of messages) checkMessage(message as FakeMessage)
    const status = memory.add(sessionOf(body), ...scopeOf(body), messages as FakeMessage[])
    return { message_count: messages.length, status }
  },
  flush(memory, body) {
    return { status: memory.flush(sessionOf(body), ...scopeOf(body)) }
  },
  search(memory, body, embed) {
    const { query, method = 'hybrid', top_k = -1, min_score, filters = {} } = body as SearchBody
    if (!query) throw invalid('Search query cannot be empty.')
    if (top_k === 0 || top_k < -1 || top_k > 100) throw invalid('top_k must be -1 or in 1..100')
    if (method !== 'keyword' && !embed) throw new EverosRefusal(422, 'PROVIDER_NOT_CONFIGURED', 'no embedding')
    const scope = scopeOf(body)
    const rows = memory.find(ownerOf(body), ...scope, filters)
    const wanted = tokens(query)
    const scored = rows.map((row) => ({ row, score: overlap(wanted, tokens(row.text)) }))
    const floor = method === 'hybrid' ? (min_score ?? 0) : 0
    const episodes = scored
      .filter(({ score }) => score > 0 && score >= floor)
      .toSorted((one, other) => other.score - one.score)
      .slice(0, top_k === -1 ? 100 : top_k)
      .map(({ row, score }) => ({ ...episodeOf(row), score, atomic_facts: factsOf(row, score) }))
    const session = filters.session_id
    const unprocessed_messages = typeof session === 'string' ? unprocessed(memory, session, scope) : []
    return { episodes, profiles: [], agent_cases: [], agent_skills: [], unprocessed_messages }
  },
  get(memory, body) {
    const { page = 1, page_size = 20, sort_order = 'desc', filters = {} } = body as GetBody
    const rows = memory
      .find(ownerOf(body), ...scopeOf(body), filters)
      .toSorted((one, other) => one.timestamp - other.timestamp)
    if (sort_order === 'desc') rows.reverse()
    const episodes = rows.slice((page - 1) * page_size, page * page_size).map(episodeOf)
    return {
      episodes,
      profiles: [],
      agent_cases: [],
      agent_skills: [],
      total_count: rows.length,
      count: episodes.length,
    }
  },
  delete(memory, body) {
    const { user_id: user, session_id: session } = body as { user_id?: string; session_id?: string }
    if (user === undefined && session === undefined) throw invalid('one of user_id, agent_id, session_id is required')
    return { count: memory.forget(...scopeOf(body), { ...(user && { user }), ...(session && { session }) }) }
  },
}

function invalid(message: string): EverosRefusal {
  return new EverosRefusal(422, 'INVALID_INPUT', message)
}

function checkMessage(message: FakeMessage): void {
  if (!/^[A-Za-z0-9_.@+-]{1,128}$/.test(message.sender_id ?? '')) throw invalid('sender_id')
  if (!['user', 'assistant', 'tool'].includes(message.role)) throw invalid('role')
  if (!Number.isInteger(message.timestamp) || message.timestamp <= 0) throw invalid('timestamp')
  if (message.content === undefined) throw invalid('Field required: content')
  if (message.role === 'tool' && !message.tool_call_id) throw invalid('tool_call_id is required when role is tool')
}

function sessionOf({ session_id: session }: Body): string {
  if (typeof session !== 'string' || session.length < 1 || session.length > 128) throw invalid('session_id')
  return session
}

function scopeOf(body: Body): [app: string, project: string] {
  const { app_id: app = 'default', project_id: project = 'default' } = body as Record<string, string>
  for (const id of [app, project]) if (!/^[a-z0-9_.@+-]{1,128}$/.test(id)) throw invalid('app_id, project_id')
  return [app, project]
}

function ownerOf({ user_id: user, agent_id: agent }: Body): string {
  if ((user === undefined) === (agent === undefined))
    throw invalid('exactly one of user_id / agent_id must be provided')
  return typeof user === 'string' ? user : ''
}

function overlap(wanted: Set<string>, present: Set<string>): number {
  return [...wanted].filter((token) => present.has(token)).length / (wanted.size || 1)
}

function episodeOf(row: FakeEpisode) {
  const { id, user_id, app_id, project_id, session_id, sender_ids, text } = row
  const timestamp = new Date(row.timestamp).toISOString().replace('Z', '000+00:00')
  const shared = { id, user_id, app_id, project_id, session_id, timestamp, sender_ids }
  return { ...shared, summary: text.slice(0, 200), subject: text.slice(0, 60), episode: text, type: 'Conversation' }
}

function factsOf(row: FakeEpisode, score: number) {
  return row.facts.map((content, index) => ({ id: `${row.id}_f${index}`, content, score }))
}

function unprocessed(memory: FakeEverosMemory, session_id: string, [app_id, project_id]: [string, string]) {
  return memory.buffered(session_id, app_id, project_id).map(({ id, message }) => ({
    id,
    app_id,
    project_id,
    session_id,
    ...message,
    timestamp: new Date(message.timestamp).toISOString(),
  }))
}

function health(embed: boolean): object {
  const capabilities = { llm: true, embed, rerank: false, multimodal_llm: true, parser: true }
  return {
    status: 'ok',
    version: '1.5.1-fake',
    capabilities,
    disabled_features: embed ? [] : ['vector_search'],
    cascade: { healthy: true, pending: 0 },
  }
}

function routeOf(path: string, options: FakeEverosOptions): EverosRoute | undefined {
  if (path === '/health') return 'health'
  const [, version, route] = /^\/api\/(v[12])\/memory\/(add|flush|search|get|delete)$/.exec(path) ?? []
  if (!(options.versions ?? ['v1', 'v2']).some((known) => known === version)) return undefined
  if (route === 'delete' && (version !== 'v2' || options.canDelete === false)) return undefined
  return route as EverosRoute | undefined
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function parseObject(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Body) : undefined
  } catch {
    return undefined
  }
}

function pause(milliseconds: number): Promise<void> {
  return milliseconds > 0 ? new Promise((resolve) => setTimeout(resolve, milliseconds)) : Promise.resolve()
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function sendPage(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Welcome to nginx</title>')
}
