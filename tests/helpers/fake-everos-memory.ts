import { createHash } from 'node:crypto'

// The memory of the fake EverOS: buffers, extraction without a model, and a naive search. See fake-everos.ts.

/** An answer other than 200, in EverOS's own words. */
export class EverosRefusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export interface FakeItem {
  readonly type: string
  readonly text?: string
  readonly base64?: string
  readonly uri?: string
  readonly ext?: string
  readonly name?: string
}

export interface FakeMessage {
  readonly sender_id: string
  readonly sender_name?: string
  readonly role: string
  readonly timestamp: number
  readonly content: string | readonly FakeItem[]
  readonly tool_calls?: readonly unknown[]
  readonly tool_call_id?: string
}

export interface FakeEpisode {
  readonly id: string
  readonly user_id: string
  readonly app_id: string
  readonly project_id: string
  readonly session_id: string
  readonly timestamp: number
  readonly sender_ids: readonly string[]
  readonly text: string
  readonly facts: readonly string[]
  /** Unix ms from which search and get know it. */
  readonly visibleAt: number
}

export interface Buffered {
  readonly id: string
  readonly message: FakeMessage
  readonly text: string
}

export interface Filters {
  readonly session_id?: string | { in: string[] }
  readonly timestamp?: { gte?: number; lte?: number }
}

/** How many of the buffered messages an add cuts off into a memory: 0, or up to all but the last. */
export type ExtractOnAdd = (buffered: readonly FakeMessage[]) => number

const itemTypes = new Set(['text', 'image', 'audio', 'doc', 'pdf', 'html', 'email'])
const itemKeys = new Set(['type', 'text', 'uri', 'base64', 'ext', 'name', 'extras'])
const readable =
  /^(?:png|jpe?g|webp|tiff?|bmp|svg|pdf|mp3|wav|m4a|amr|aiff|aac|ogg|flac|docx?|pptx?|xlsx?|pages|key|numbers|od[tsp]|rtf|html?|eml|txt|md|vtt|csv|tsv)$/

function invalid(message: string): EverosRefusal {
  return new EverosRefusal(422, 'INVALID_INPUT', message)
}

/** An item as the extraction reads it. A file's bytes are shown as text if they are, else by size and hash. */
export function itemText(item: FakeItem): string {
  for (const key of Object.keys(item)) if (!itemKeys.has(key)) throw invalid(`Extra inputs are not permitted: ${key}`)
  if (!itemTypes.has(item.type)) throw invalid(`unknown item type ${item.type}`)
  if (item.type === 'text') return item.text ?? ''
  const unsupported = (why: string) => new EverosRefusal(415, 'UNSUPPORTED_FORMAT', why)
  if (item.uri) return `[${item.type.toUpperCase()}: ${item.name ?? ''}]\n${item.uri}`
  if (!item.base64) throw unsupported('content item has neither uri nor base64')
  if (!readable.test(item.ext ?? '')) throw unsupported(`extension '${item.ext}' does not map to a known modality`)
  const bytes = Buffer.from(item.base64, 'base64')
  const text = bytes.toString()
  const shown = text.includes('\uFFFD')
    ? `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex')}`
    : text.replace(/<[^>]*>/g, ' ')
  return `[${item.type.toUpperCase()}: ${item.name ?? ''}]\n${shown}`
}

function render({ content }: FakeMessage): string {
  return typeof content === 'string' ? content : content.map(itemText).join('\n')
}

/** Words, and pairs of neighbouring Han characters. */
export function tokens(text: string): Set<string> {
  const found = new Set<string>()
  const words =
    text
      .toLowerCase()
      .replace(/\p{Script=Han}+/gu, ' $& ')
      .match(/[\p{L}\p{N}]+/gu) ?? []
  for (const word of words) {
    if (!/^\p{Script=Han}/u.test(word) || word.length === 1) found.add(word)
    else for (let at = 0; at < word.length - 1; at++) found.add(word.slice(at, at + 2))
  }
  return found
}

export class FakeEverosMemory {
  readonly #buffers = new Map<string, Buffered[]>()
  #episodes: FakeEpisode[] = []
  #minted = 0
  extractOnAdd: ExtractOnAdd = () => 0
  /** How long search lags behind a flush. */
  indexDelayMs = 0

  get episodes(): readonly FakeEpisode[] {
    return this.#episodes
  }

  add(session: string, app: string, project: string, messages: readonly FakeMessage[]): 'accumulated' | 'extracted' {
    const fresh = messages.map((message, index) => ({
      id: `m_${session}_${message.timestamp}_${String(index).padStart(3, '0')}`,
      message,
      text: render(message),
    }))
    const key = JSON.stringify([session, app, project])
    const merged = new Map((this.#buffers.get(key) ?? []).map((entry) => [entry.id, entry]))
    for (const entry of fresh) if (!merged.has(entry.id)) merged.set(entry.id, entry)
    const buffer = [...merged.values()].toSorted(
      (one, other) => one.message.timestamp - other.message.timestamp || (one.id < other.id ? -1 : 1),
    )
    const cut = Math.min(this.extractOnAdd(buffer.map((entry) => entry.message)), buffer.length - 1)
    this.#buffers.set(key, buffer.slice(cut))
    if (cut > 0) this.#remember(session, app, project, buffer.slice(0, cut))
    return cut > 0 ? 'extracted' : 'accumulated'
  }

  flush(session: string, app: string, project: string): 'extracted' | 'no_extraction' {
    const key = JSON.stringify([session, app, project])
    const buffer = this.#buffers.get(key) ?? []
    this.#buffers.delete(key)
    if (buffer.length === 0) return 'no_extraction'
    this.#remember(session, app, project, buffer)
    return 'extracted'
  }

  /** What an extraction with failing models leaves: its messages are out of the buffer, and in no memory. */
  drop<T>(extract: () => T): T {
    const before = this.#episodes
    this.#episodes = [...before]
    try {
      return extract()
    } finally {
      this.#episodes = before
    }
  }

  /** Raw messages of a session: whoever asks, as in the original. */
  buffered(session: string, app: string, project: string): readonly Buffered[] {
    return this.#buffers.get(JSON.stringify([session, app, project])) ?? []
  }

  /** Every session that holds unextracted messages. */
  *buffers(): Generator<{ session: string; app: string; project: string; entries: readonly Buffered[] }> {
    for (const [key, entries] of this.#buffers) {
      const [session, app, project] = JSON.parse(key) as [string, string, string]
      yield { session, app, project, entries }
    }
  }

  find(user: string, app: string, project: string, filters: Filters): FakeEpisode[] {
    const { session_id: session, timestamp } = filters
    return this.#episodes.filter(
      (row) =>
        row.user_id === user &&
        row.app_id === app &&
        row.project_id === project &&
        row.visibleAt <= Date.now() &&
        (session === undefined ||
          (typeof session === 'string' ? session === row.session_id : session.in.includes(row.session_id))) &&
        (timestamp?.gte === undefined || row.timestamp >= timestamp.gte) &&
        (timestamp?.lte === undefined || row.timestamp <= timestamp.lte),
    )
  }

  forget(app: string, project: string, target: { user?: string; session?: string }): number {
    const before = this.#episodes.length
    this.#episodes = this.#episodes.filter(
      (row) =>
        row.app_id !== app ||
        row.project_id !== project ||
        (target.user !== undefined && row.user_id !== target.user) ||
        (target.session !== undefined && row.session_id !== target.session),
    )
    for (const [key, entries] of this.#buffers) {
      const [session, bufferApp, bufferProject] = JSON.parse(key) as [string, string, string]
      const mine = target.user === undefined || entries.some(({ message }) => message.sender_id === target.user)
      const named = target.session === undefined || target.session === session
      if (bufferApp === app && bufferProject === project && mine && named) this.#buffers.delete(key)
    }
    return before - this.#episodes.length
  }

  /** One memory for each `user` who spoke, with the same text: what the original does. */
  #remember(session: string, app: string, project: string, entries: readonly Buffered[]): void {
    const facts = entries.map(({ message, text }) => `${message.sender_name ?? message.sender_id}: ${text}`)
    const speakers = new Set(
      entries.filter(({ message }) => message.role === 'user').map(({ message }) => message.sender_id),
    )
    const last = entries.at(-1)
    for (const user of last ? speakers : []) {
      this.#episodes.push({
        id: `${user}_ep_${++this.#minted}`,
        user_id: user,
        app_id: app,
        project_id: project,
        session_id: session,
        timestamp: last?.message.timestamp ?? 0,
        sender_ids: [...new Set(entries.map(({ message }) => message.sender_id))],
        text: facts.join('\n'),
        facts,
        visibleAt: Date.now() + this.indexDelayMs,
      })
    }
  }
}
