import {
  type Buffered,
  EverosRefusal,
  type FakeEpisode,
  type FakeEverosMemory,
  type FakeMessage,
  type Filters,
  itemText,
  tokens,
} from './fake-everos-memory.ts'

// What the routes of the fake EverOS take and answer. See fake-everos.ts.

export type EverosRoute = 'add' | 'flush' | 'search' | 'get' | 'delete' | 'health'

export type Body = Record<string, unknown>
type SearchBody = { query?: string; method?: string; top_k?: number; min_score?: number; filters?: Filters }
type GetBody = {
  memory_type?: string
  page?: number
  page_size?: number
  sort_order?: 'asc' | 'desc'
  filters?: Filters
}

export const routes: Record<
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
    checkKeys(body, searchKeys)
    const { query, method = 'hybrid', top_k = -1, min_score, filters = {} } = body as SearchBody
    checkFilters(filters)
    if (!searchMethods.has(method)) throw invalid('method')
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
    const { memory_type, page = 1, page_size = 20, sort_order = 'desc', filters = {} } = body as GetBody
    if (!memoryTypes.has(memory_type ?? '')) throw invalid('memory_type')
    if (page_size < 1 || page_size > 100) throw invalid('page_size')
    checkFilters(filters)
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

const searchKeys = new Set(
  'user_id agent_id app_id project_id query method top_k radius min_score include_profile enable_llm_rerank filters'.split(
    ' ',
  ),
)
const searchMethods = new Set(['keyword', 'vector', 'hybrid', 'agentic', 'llm_multiround'])
const memoryTypes = new Set(['episode', 'profile', 'agent_case', 'agent_skill'])
const filterFields = new Set(['session_id', 'timestamp', 'sender_id', 'parent_type', 'parent_id', 'AND', 'OR'])

/** Search refuses what it does not know; add and flush pass over it. */
function checkKeys(body: Body, known: ReadonlySet<string>): void {
  for (const key of Object.keys(body)) if (!known.has(key)) throw invalid(`Extra inputs are not permitted: ${key}`)
}

function checkFilters(filters: Filters): void {
  for (const field of Object.keys(filters)) {
    if (!filterFields.has(field)) throw invalid(`unsupported filter field: '${field}'`)
  }
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
  for (const id of [app, project]) {
    if (!/^[A-Za-z0-9_.@+-]{1,128}$/.test(id) || id === '.' || id === '..') throw invalid('app_id, project_id')
  }
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

export function episodeOf(row: FakeEpisode) {
  const { id, user_id, app_id, project_id, session_id, sender_ids, text } = row
  const timestamp = new Date(row.timestamp).toISOString().replace('Z', '000+00:00')
  const shared = { id, user_id, app_id, project_id, session_id, timestamp, sender_ids }
  return { ...shared, summary: text.slice(0, 200), subject: text.slice(0, 60), episode: text, type: 'Conversation' }
}

function factsOf(row: FakeEpisode, score: number) {
  return row.facts.map((content, index) => ({ id: `${row.id}_f${index}`, content, score }))
}

/** Whoever asks: a buffer has no owner. */
function unprocessed(memory: FakeEverosMemory, session: string, [app, project]: [string, string]) {
  return memory.buffered(session, app, project).map((entry) => bufferedRow(entry, session, app, project))
}

export function bufferedRow(entry: Buffered, session_id: string, app_id: string, project_id: string) {
  const { sender_id, sender_name = null, role, content, tool_calls = null, tool_call_id = null } = entry.message
  const timestamp = new Date(entry.message.timestamp).toISOString()
  const shown =
    typeof content === 'string' ? content : content.map((item) => ({ ...item, parsed_content: itemText(item) }))
  const row = { id: entry.id, app_id, project_id, session_id, sender_id, sender_name, role, content: shown }
  return { ...row, timestamp, tool_calls, tool_call_id }
}

export function health(embed: boolean): object {
  const capabilities = { llm: true, embed, rerank: false, multimodal_llm: true, parser: true }
  return {
    status: 'ok',
    version: '1.5.1-fake',
    capabilities,
    disabled_features: embed ? [] : ['vector_search'],
    cascade: { healthy: true, pending: 0 },
  }
}
