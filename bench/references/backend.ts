import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { bytesOf, listen } from './listen.ts'

// Stands in for an EverOS that answers at once: `add` takes whatever comes, `flush` notes the session, `search` finds the sessions that were flushed, the newest
// first. `/stub/…` is for the benchmark: which way it takes files, and what it has taken.

/** Sessions of a partition that a search may find. */
const KEPT = 10
const TEXT = 'The harbour of Bergen is full of ships, and the fish market opens at nine every morning. '

const sessions = new Map<string, string[]>()
let mode: { check?: boolean; bytesPerSecond?: number } = {}
let taken = { requests: 0, bytes: 0, hashes: [] as string[] }

listen((incoming, outgoing) => void answer(incoming, outgoing))

async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const path = incoming.url ?? ''
  const data = await routeOf(path, incoming)
  const text = JSON.stringify(data ?? { detail: 'Method Not Allowed' })
  outgoing.writeHead(data ? 200 : 405, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  outgoing.end(text)
}

async function routeOf(path: string, incoming: IncomingMessage): Promise<object | undefined> {
  if (path === '/health') return { status: 'ok', version: '1.5.1', capabilities: { llm: true, embed: true } }
  if (path === '/stub/taken') {
    const before = taken
    taken = { requests: 0, bytes: 0, hashes: [] }
    return before
  }
  if (incoming.method === 'GET') return undefined
  if (path === '/raw' || path.endsWith('/add')) return add(incoming, path === '/raw')
  const body = JSON.parse((await bytesOf(incoming)).toString()) as Record<string, string>
  if (path === '/stub/mode') return (mode = body)
  return envelope(path.endsWith('/flush') ? flush(body) : search(body))
}

async function add(incoming: IncomingMessage, isRaw: boolean): Promise<object> {
  if (mode.check) {
    const bytes = await bytesOf(incoming)
    taken.hashes.push(...(isRaw ? [hashOf(bytes)] : hashesIn(bytes.toString())))
  } else await drain(incoming)
  taken.requests++
  taken.bytes += Number(incoming.headers['content-length'])
  return envelope({ message_count: 1, status: 'accumulated' })
}

/** No faster than the mode says. */
async function drain(incoming: IncomingMessage): Promise<void> {
  const began = performance.now()
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (!mode.bytesPerSecond) continue
    const aheadMs = (1_000 * bytes) / mode.bytesPerSecond - (performance.now() - began)
    if (aheadMs > 5) await delay(aheadMs)
  }
}

/** Of the files in an add call. */
function hashesIn(text: string): string[] {
  const { messages } = JSON.parse(text) as { messages: { content: string | { base64?: string }[] }[] }
  const items = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))
  return items.flatMap(({ base64 }) => (base64 === undefined ? [] : [hashOf(Buffer.from(base64, 'base64'))]))
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function flush({ project_id: project = '', session_id: session = '' }: Record<string, string>): object {
  sessions.set(project, [session, ...(sessions.get(project) ?? [])].slice(0, KEPT))
  return { status: 'extracted' }
}

function search({ project_id: project = '', user_id: user }: Record<string, string>): object {
  const episodes = (sessions.get(project) ?? []).map((session, at) => ({
    id: `episode_${at}`,
    user_id: user,
    project_id: project,
    session_id: session,
    timestamp: '2026-01-01T00:00:00Z',
    subject: 'Bergen',
    episode: TEXT,
    score: 1 - at / 100,
    atomic_facts: [],
  }))
  return { episodes, unprocessed_messages: [] }
}

function envelope(data: object): object {
  return { request_id: randomUUID(), data }
}
