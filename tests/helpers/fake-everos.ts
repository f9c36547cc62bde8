import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Body, type EverosRoute, health, routes } from './fake-everos-api.ts'
import { type EverosFault, isWireFault, misbehave } from './fake-everos-faults.ts'
import { foreignData, mixIn } from './fake-everos-hostile.ts'
import { EverosRefusal, type ExtractOnAdd, FakeEverosMemory } from './fake-everos-memory.ts'

export type { EverosRoute } from './fake-everos-api.ts'
export type { EverosFault } from './fake-everos-faults.ts'

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
  /** Every answer also carries what belongs to others: rows, messages, error texts, even the health. Default false. */
  readonly hostile?: boolean
  /** How long a held call is worked on. Default: as long as the original holds a session. */
  readonly holdMs?: number
  /** Where redirects point to. */
  readonly elsewhere?: string
  /** What happens to a call, unless `failNext` has something for it. */
  readonly chooseFault?: (route: EverosRoute, body: Record<string, unknown>) => EverosFault | undefined
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
  /** The requests so far; the list begins anew. */
  takeRequests(): RecordedRequest[]
  /** Resolves when no held call is under way. */
  atRest(): Promise<void>
  close(): Promise<void>
}

const HOLD_MS = 360_000

/** An EverOS on loopback, in memory and without models; what it says follows docs/everos.md. */
export async function startFakeEveros(options: FakeEverosOptions = {}): Promise<FakeEveros> {
  const memory = new FakeEverosMemory()
  const requests: RecordedRequest[] = []
  const faults = new Map<EverosRoute, EverosFault[]>()
  const delays = new Map<EverosRoute, number>()
  const held = new Set<NodeJS.Timeout>()
  const released = new EventEmitter()
  const server = createServer((request, response) => void handle(request, response))

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://fake').pathname
    const route = routeOf(path, options)
    if (route && faults.get(route)?.[0] === 'half-open') return void faults.get(route)?.shift()
    const text = await readBody(request).catch(() => undefined)
    if (text === undefined) return
    const body = parseObject(text)
    requests.push({ method: request.method ?? '', path, headers: request.headers, body: body ?? {} })
    if (!route) return send(response, 404, { detail: 'Not Found' })
    if (request.method !== (route === 'health' ? 'GET' : 'POST'))
      return send(response, 405, { detail: 'Method Not Allowed' })
    await pause(delays.get(route) ?? 0)
    const fault = faults.get(route)?.shift() ?? options.chooseFault?.(route, body ?? {})
    if (isWireFault(fault)) return misbehave(fault, request, response, options.elsewhere ?? '')
    if (fault === 'hold') await pause(options.holdMs ?? HOLD_MS, held)
    if (route === 'add') await openAddresses(body)
    answer(route, body, fault, path, response)
    if (fault === 'hold') released.emit('call')
  }

  function answer(
    route: EverosRoute,
    body: Body | undefined,
    fault: EverosFault | undefined,
    path: string,
    response: ServerResponse,
  ): void {
    const foreign = options.hostile ? foreignData(memory, body ?? {}) : undefined
    const request_id = foreign?.text || randomUUID().replaceAll('-', '')
    try {
      if (typeof fault === 'object') throw new EverosRefusal(fault.status, fault.code, 'injected')
      if (route === 'health') return send(response, 200, { ...health(options.embed ?? false), ...foreign })
      if (!body) throw new EverosRefusal(422, 'INVALID_INPUT', 'JSON decode error')
      if (fault === 'nothing') return send(response, 200, { request_id, data: { status: 'no_extraction' } })
      const isDropped = fault === 'dropped' || fault === 'dropped-and-lost'
      const data = isDropped
        ? memory.drop(() => routes[route](memory, body, false))
        : routes[route](memory, body, options.embed ?? false)
      if (fault === 'dropped') throw new EverosRefusal(500, 'INTERNAL_ERROR', 'Internal server error')
      if (fault === 'lost' || fault === 'dropped-and-lost') return void response.socket?.resetAndDestroy()
      send(response, 200, { request_id, data: foreign ? mixIn(route, data, body, foreign) : data })
    } catch (error) {
      const { status, code, message } =
        error instanceof EverosRefusal ? error : new EverosRefusal(500, 'INTERNAL_ERROR', 'Internal server error')
      const said = foreign?.text ? `${message}: ${foreign.text}` : message
      send(response, status, { request_id, error: { code, message: said, timestamp: new Date().toISOString(), path } })
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
    takeRequests: () => requests.splice(0),
    async atRest() {
      while (held.size > 0) await once(released, 'call')
    },
    close: () =>
      new Promise((resolve) => {
        for (const timer of held) clearTimeout(timer)
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** As the original does: whoever can name an address makes the server call it. */
async function openAddresses(body: Body | undefined): Promise<void> {
  const messages = (Array.isArray(body?.messages) ? body.messages : []) as { content?: unknown }[]
  const items = messages.flatMap(({ content }) => (Array.isArray(content) ? (content as { uri?: unknown }[]) : []))
  for (const { uri } of items) {
    if (typeof uri === 'string' && /^https?:/.test(uri)) await fetch(uri).catch(() => undefined)
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

function pause(milliseconds: number, pending: Set<NodeJS.Timeout> = new Set()): Promise<void> {
  if (milliseconds <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      pending.delete(timer)
      resolve()
    }, milliseconds)
    pending.add(timer)
  })
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
