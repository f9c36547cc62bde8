import { type Answer, call } from './client.ts'
import { type DialectIds, wordless } from './dialect-owner.ts'

export type Dialect = 'layer' | 'stack' | 'sync' | 'mastra' | 'openai'

export interface RouteRequest {
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A route of a dialect, with a request that it would take. */
export interface GuardedRoute {
  readonly dialect: Dialect
  readonly request: (ids: DialectIds) => RouteRequest
  readonly scope: 'read' | 'write' | 'admin'
  /** What the owner gets. */
  readonly status: number
  /** What a key of another account gets that names the owner's ids; left out: what the owner gets, with nothing of the owner's in it. */
  readonly toOthers?: number
  /** What another end user of MemorySync gets; left out: the same as `toOthers`. */
  readonly toOtherEndUser?: number
  /** MemorySync: for what belongs to a project, no end user is asked for. */
  readonly ofProject?: true
}

type Draft = Omit<GuardedRoute, 'dialect' | 'scope'>

const get = (path: (ids: DialectIds) => string, more: Partial<Draft> = {}): Draft => ({
  request: (ids) => ({ path: path(ids) }),
  status: 200,
  ...more,
})
const send = (path: (ids: DialectIds) => string, body: (ids: DialectIds) => unknown, more: Partial<Draft> = {}) => ({
  request: (ids: DialectIds) => ({ path: path(ids), body: body(ids) }),
  status: 200,
  ...more,
})
const NOT_FOUND = { toOthers: 404 } as const
const none = () => ({})
const nothing = () => undefined

type Table = Readonly<Record<string, GuardedRoute>>
const group = (dialect: Dialect, scope: GuardedRoute['scope'], drafts: Record<string, Draft>): Table =>
  Object.fromEntries(Object.entries(drafts).map(([route, draft]) => [route, { ...draft, dialect, scope }]))

const layerRoutes: Table = {
  ...group('layer', 'write', {
    'POST /v1/memory': send(
      () => '/v1/memory/',
      ({ endUser }) => ({ content: `The lighthouse of ${wordless()}`, external_user_id: endUser }),
      { status: 201 },
    ),
    'DELETE /v1/memory/:memory_id': send(({ spare }) => `/v1/memory/${spare.id}`, nothing, NOT_FOUND),
    'POST /v1/chat': send(
      () => '/v1/chat/',
      ({ endUser }) => ({ message: 'What of the harbour lighthouse?', external_user_id: endUser }),
    ),
    'POST /v1/chat/legacy': send(
      () => '/v1/chat/legacy',
      ({ endUser }) => ({ message: 'What of the harbour lighthouse?', external_user_id: endUser }),
    ),
    'POST /v1/memory/summarize': send(() => '/v1/memory/summarize', nothing),
    'POST /v1/memory/prune': send(() => '/v1/memory/prune?dry_run=true&max_memories=0', nothing),
    'POST /v1/memory/maintenance/:job_type': send(() => '/v1/memory/maintenance/all', nothing),
  }),
  ...group('layer', 'read', {
    'POST /v1/memory/search': send(
      () => '/v1/memory/search',
      () => ({ query: 'harbour lighthouse', limit: 100, similarity_threshold: 0 }),
    ),
    'GET /v1/memory/search': get(() => '/v1/memory/search?query=harbour%20lighthouse&limit=100'),
    'GET /v1/memory/stats': get(() => '/v1/memory/stats'),
    'GET /v1/memory': get(() => '/v1/memory/?limit=200'),
    'GET /v1/memory/:memory_id': get(({ memory }) => `/v1/memory/${memory.id}`, NOT_FOUND),
    'GET /v1/memory/:memory_id/files/:file_id{att_.+}': get(
      ({ upload }) => `/v1/memory/${upload.id}/files/${upload.file}`,
      NOT_FOUND,
    ),
  }),
  ...group('layer', 'admin', {
    'POST /v1/keys': send(
      () => '/v1/keys/',
      () => ({ name: 'Another key' }),
      { status: 201 },
    ),
    'GET /v1/keys': get(() => '/v1/keys/'),
    'POST /v1/keys/:key_id/revoke': send(({ key }) => `/v1/keys/${key.id}/revoke`, nothing, NOT_FOUND),
  }),
}

const stack = '/api/v1/memories'
const said = () => ({ messages: [{ role: 'user', content: `I love the lighthouse of ${wordless()}` }] })
const stackRoutes: Table = {
  ...group('stack', 'write', {
    'POST /api/v1/memories': send(
      () => stack,
      ({ endUser }) => ({ ...said(), user_id: endUser }),
    ),
    'POST /api/v1/memories/agents': send(
      () => `${stack}/agents`,
      () => ({ ...said(), agent_name: 'pilot' }),
    ),
    'DELETE /api/v1/memories/batch': send(
      () => `${stack}/batch`,
      ({ spare }) => ({ memory_ids: [spare.id], hard: true }),
    ),
    'PATCH /api/v1/memories/:memory_id': send(
      ({ spare }) => `${stack}/${spare.id}`,
      () => ({ confidence: 0.5 }),
      NOT_FOUND,
    ),
    'DELETE /api/v1/memories/:memory_id': send(({ spare }) => `${stack}/${spare.id}?hard=true`, nothing, NOT_FOUND),
    'POST /api/v1/memories/import': send(
      () => `${stack}/import`,
      ({ endUser }) => ({ memories: [{ content: `The pier of ${wordless()}`, user_id: endUser }] }),
    ),
    'POST /api/v1/memories/reflect': send(
      () => `${stack}/reflect`,
      () => ({ minPatternStrength: 0.1 }),
    ),
    'POST /api/v1/memories/consolidate': send(
      () => `${stack}/consolidate`,
      () => ({ similarity_threshold: 0.3, dry_run: true }),
    ),
    'POST /api/v1/auto-maintenance/config': send(() => '/api/v1/auto-maintenance/config', none),
  }),
  ...group('stack', 'read', {
    'GET /api/v1/memories': get(() => `${stack}?limit=100`),
    'GET /api/v1/memories/agents': get(() => `${stack}/agents?agent_id=pilot`),
    'GET /api/v1/memories/search': get(() => `${stack}/search?query=harbour%20lighthouse&limit=50`),
    'GET /api/v1/memories/:memory_id': get(({ memory }) => `${stack}/${memory.id}`, NOT_FOUND),
    'GET /api/v1/memories/:memory_id/files/:file_id': get(
      ({ upload }) => `${stack}/${upload.id}/files/${upload.file}`,
      NOT_FOUND,
    ),
    'POST /api/v1/memories/export': send(() => `${stack}/export`, none),
    'GET /api/v1/auto-maintenance/config': get(() => '/api/v1/auto-maintenance/config'),
    'GET /api/v1/stats': get(() => '/api/v1/stats'),
    'GET /api/v1/graph': get(() => '/api/v1/graph'),
  }),
}

const text = () => `The lighthouse keeper of ${wordless()} owns a boat`
const form = () => {
  const data = new FormData()
  data.set('file', new Blob([text()]), 'pier.txt')
  return data
}
const v1 = ({ endUser }: DialectIds) => ({ tenant_id: 'acme', user_id: endUser })
const hook = { name: 'hook', url: 'https://hooks.example.com/x', events: ['memory.created'] }
const PROJECT = { ofProject: true } as const
/** A file of a memory, as any of the API's routes that name one. */
const MEMORY = '/memory/:id{[0-9]+}'
const WEBHOOK = '/org/webhooks/:id{[0-9]+}'

const syncMemoryRoutes: Table = {
  ...group('sync', 'write', {
    'POST /memory/add': send(
      () => '/memory/add',
      () => ({ text: text() }),
      { status: 201 },
    ),
    'POST /memory/bulk-add': send(
      () => '/memory/bulk-add',
      () => ({ items: [{ text: text() }] }),
    ),
    'POST /memory/upload': send(() => '/memory/upload', form, { status: 201 }),
    'DELETE /memory/user/purge': send(() => '/memory/user/purge', nothing, { status: 403, ...PROJECT }),
    'DELETE /memory/forget': send(
      () => '/memory/forget',
      ({ spare }) => ({ memory_ids: [spare.number] }),
    ),
    'POST /memory/batch-update': send(
      () => '/memory/batch-update',
      ({ spare }) => ({ items: [{ memory_id: spare.number, tags: ['seen'] }] }),
      { status: 207 },
    ),
    [`PATCH ${MEMORY}`]: send(
      ({ spare }) => `/memory/${spare.number}`,
      () => ({ tags: ['seen'] }),
      NOT_FOUND,
    ),
    [`DELETE ${MEMORY}`]: send(({ spare }) => `/memory/${spare.number}`, nothing, { status: 204, toOthers: 404 }),
    [`POST ${MEMORY}/feedback`]: send(
      ({ memory }) => `/memory/${memory.number}/feedback`,
      () => ({ signal: 'positive' }),
      NOT_FOUND,
    ),
    [`POST ${MEMORY}/relations`]: send(
      ({ memory }) => `/memory/${memory.number}/relations`,
      ({ upload }) => ({ to_memory_id: upload.number, relationship_type: 'supports' }),
      { status: 201, toOthers: 404 },
    ),
    'POST /memory/summarize': send(
      () => '/memory/summarize',
      ({ memory, upload }) => ({ memory_ids: [memory.number, upload.number], lossless: true }),
      { status: 201, toOthers: 404 },
    ),
    'POST /memory/refresh': send(() => '/memory/refresh', nothing, { status: 202 }),
    'PUT /memory/ontology': send(
      () => '/memory/ontology',
      () => ({ content_types: ['recipe'] }),
      PROJECT,
    ),
    'POST /memory/decision/resolve': send(
      () => '/memory/decision/resolve',
      ({ memory, upload }) => ({
        decision_id: `${memory.number}-${upload.number}`,
        winning_memory_id: memory.number,
      }),
      { status: 422, toOthers: 404 },
    ),
  }),
  ...group('sync', 'read', {
    ...Object.fromEntries(
      ['query', 'retrieve', 'search/routed', 'synthesize'].map((name) => [
        `POST /memory/${name}`,
        send(
          () => `/memory/${name}`,
          () => ({ query: 'harbour lighthouse' }),
        ),
      ]),
    ),
    'POST /memory/compose': send(
      () => '/memory/compose',
      () => ({ prompt_template: 'The harbour lighthouse: {{memories}}' }),
    ),
    [`GET ${MEMORY}`]: get(({ memory }) => `/memory/${memory.number}`, NOT_FOUND),
    [`GET ${MEMORY}/files/:file`]: get(({ upload }) => `/memory/${upload.number}/files/${upload.file}`, NOT_FOUND),
    [`GET ${MEMORY}/history`]: get(({ memory }) => `/memory/${memory.number}/history`, NOT_FOUND),
    'GET /memory/export': get(() => '/memory/export'),
    'GET /memory/graph': get(({ memory }) => `/memory/graph?memory_id=${memory.number}`, NOT_FOUND),
    'GET /memory/clusters': get(() => '/memory/clusters'),
    'GET /memory/knowledge/stats': get(() => '/memory/knowledge/stats'),
    'GET /memory/intelligence': get(() => '/memory/intelligence', { status: 501, ...PROJECT }),
    'GET /memory/ontology': get(() => '/memory/ontology', { ...PROJECT }),
    'GET /memory/decisions': get(() => '/memory/decisions'),
  }),
}

const syncV1Routes: Table = {
  ...group('sync', 'write', {
    'POST /v1/memory/add_turn': send(
      () => '/v1/memory/add_turn',
      (ids) => ({ ...v1(ids), text: `I own the boat ${wordless()}` }),
    ),
    'POST /v1/history/append': send(
      () => '/v1/history/append',
      (ids) => ({
        ...v1(ids),
        session_id: ids.session,
        turns: [{ role: 'user', content: `I own the boat ${wordless()}` }],
      }),
    ),
    'POST /v1/history/delete': send(
      () => '/v1/history/delete',
      (ids) => ({ ...v1(ids), ids: [ids.spareTurn], delete_derived_facts: true }),
    ),
    'POST /v1/state/put': send(
      () => '/v1/state/put',
      (ids) => ({ ...v1(ids), namespace: ['mine'], key: 'new', value: { a: wordless() } }),
    ),
    'POST /v1/state/delete': send(
      () => '/v1/state/delete',
      (ids) => ({ ...v1(ids), namespace: ids.namespace, keys: [ids.spareState], delete_derived_facts: true }),
    ),
  }),
  ...group('sync', 'read', {
    'POST /v1/memory/recall': send(
      () => '/v1/memory/recall',
      (ids) => ({ ...v1(ids), prompt: 'harbour lighthouse', k: 100 }),
    ),
    'GET /v1/memory/status/:memory_id': get(({ memory }) => `/v1/memory/status/${memory.number}`, {
      ...NOT_FOUND,
      ...PROJECT,
    }),
    'GET /v1/memory/:tenant_id/:user_id/list': get(
      ({ endUser }) => `/v1/memory/acme/${encodeURIComponent(endUser)}/list`,
    ),
    'POST /v1/history/list': send(
      () => '/v1/history/list',
      (ids) => ({ ...v1(ids), session_id: ids.session }),
    ),
    'POST /v1/state/get': send(
      () => '/v1/state/get',
      (ids) => ({ ...v1(ids), namespace: ids.namespace, key: ids.state }),
    ),
    'POST /v1/state/list': send(() => '/v1/state/list', v1),
    'POST /v1/state/search': send(
      () => '/v1/state/search',
      (ids) => ({ ...v1(ids), query: 'harbour lighthouse' }),
    ),
    'POST /v1/state/namespaces': send(() => '/v1/state/namespaces', v1),
  }),
}

const admin = (path: string, more: Partial<Draft> = {}) => get(() => path, { ...PROJECT, ...more })
const onHook = (rest: string, body: (ids: DialectIds) => unknown = nothing, more: Partial<Draft> = {}) =>
  send(({ webhook }) => `/org/webhooks/${webhook}${rest}`, body, { ...NOT_FOUND, ...PROJECT, ...more })
const onProject = (rest: string, body: (ids: DialectIds) => unknown = nothing, more: Partial<Draft> = {}) =>
  send(({ project }) => `/org/projects/${project}${rest}`, body, { ...NOT_FOUND, ...PROJECT, ...more })

const syncOrgRoutes: Table = {
  ...group('sync', 'read', { 'GET /auth/me': admin('/auth/me') }),
  ...group('sync', 'admin', {
    'GET /org/billing/current-plan': admin('/org/billing/current-plan'),
    'GET /org/webhooks': admin('/org/webhooks'),
    'POST /org/webhooks': send(
      () => '/org/webhooks',
      () => hook,
      { status: 201, ...PROJECT },
    ),
    'GET /org/webhooks/event-types': admin('/org/webhooks/event-types'),
    'GET /org/webhooks/health': admin('/org/webhooks/health'),
    'GET /org/webhooks/deliveries/recent': admin('/org/webhooks/deliveries/recent?page_size=100'),
    [`GET ${WEBHOOK}`]: onHook(''),
    [`PATCH ${WEBHOOK}`]: onHook('', () => ({ name: 'renamed' })),
    [`POST ${WEBHOOK}/pause`]: onHook('/pause'),
    [`POST ${WEBHOOK}/resume`]: onHook('/resume'),
    [`POST ${WEBHOOK}/rotate-secret`]: onHook('/rotate-secret'),
    [`DELETE ${WEBHOOK}`]: onHook('', nothing, { status: 204 }),
    [`POST ${WEBHOOK}/test`]: onHook('/test', none),
    [`GET ${WEBHOOK}/deliveries`]: onHook('/deliveries'),
    [`GET ${WEBHOOK}/deliveries/latest`]: onHook('/deliveries/latest'),
    [`POST ${WEBHOOK}/replay`]: onHook('/replay', none),
    'GET /org/webhooks/deliveries/:id{[0-9]+}': get(({ delivery }) => `/org/webhooks/deliveries/${delivery}`, {
      ...NOT_FOUND,
      ...PROJECT,
    }),
    'POST /org/webhooks/deliveries/:id{[0-9]+}/retry': send(
      ({ delivery }) => `/org/webhooks/deliveries/${delivery}/retry`,
      nothing,
      { ...NOT_FOUND, ...PROJECT },
    ),
    'POST /org/api-keys/:id{[0-9]+}/test': send(({ key }) => `/org/api-keys/${key.number}/test`, nothing, {
      ...NOT_FOUND,
      ...PROJECT,
    }),
    'POST /org/api-keys/bulk-revoke': send(
      () => '/org/api-keys/bulk-revoke',
      ({ key }) => ({ key_ids: [key.number] }),
      PROJECT,
    ),
    'GET /org/projects': admin('/org/projects'),
    'POST /org/projects': send(
      () => '/org/projects',
      () => ({ name: 'Another project' }),
      { status: 201, ...PROJECT },
    ),
    'PATCH /org/projects/:id': onProject('', () => ({ name: 'renamed' })),
    'POST /org/projects/:id/archive': onProject('/archive'),
    'POST /org/projects/:id/unarchive': onProject('/unarchive'),
    'DELETE /org/projects/:id': onProject('', nothing, { status: 204 }),
  }),
}

const THREADS = '/v1/memory/threads'
const THREAD = `${THREADS}/:thread_id`
const at = (thread: string, rest = '') => `${THREADS}/${encodeURIComponent(thread)}${rest}`

const mastraRoutes: Table = {
  ...group('mastra', 'write', {
    [`POST ${THREADS}`]: send(
      () => THREADS,
      ({ endUser }) => ({ resourceId: endUser, title: text() }),
      { status: 201 },
    ),
    [`PATCH ${THREAD}`]: send(
      ({ spareThread }) => at(spareThread),
      () => ({ title: text() }),
      NOT_FOUND,
    ),
    [`DELETE ${THREAD}`]: send(({ spareThread }) => at(spareThread), nothing, NOT_FOUND),
    [`POST ${THREAD}/clone`]: send(({ spareThread }) => at(spareThread, '/clone'), none, { status: 201, ...NOT_FOUND }),
    [`POST ${THREAD}/messages`]: send(
      ({ thread }) => at(thread, '/messages'),
      () => ({ messages: [{ role: 'user', content: text() }] }),
      { status: 201, ...NOT_FOUND },
    ),
  }),
  ...group('mastra', 'read', {
    [`GET ${THREADS}`]: get(() => `${THREADS}?limit=200`),
    [`GET ${THREAD}`]: get(({ thread }) => at(thread), NOT_FOUND),
    [`GET ${THREAD}/messages`]: get(({ thread }) => at(thread, '/messages'), NOT_FOUND),
    [`GET ${THREAD}/files/:file_id`]: get(({ thread, threadFile }) => at(thread, `/files/${threadFile}`), NOT_FOUND),
    [`GET ${THREAD}/observations`]: get(({ thread }) => at(thread, '/observations'), NOT_FOUND),
    [`GET ${THREAD}/observations/record`]: get(({ thread }) => at(thread, '/observations/record'), NOT_FOUND),
    [`GET ${THREAD}/observations/history`]: get(({ thread }) => at(thread, '/observations/history'), NOT_FOUND),
  }),
}

const CHAT = 'What of the harbour lighthouse?'
/** A chat in a thread, which is another's own where another sends it. */
const chat = (path: string, body: object): Draft => ({
  request: ({ thread }) => ({ path, body: { model: 'echo/echo', ...body }, headers: { 'x-thread-id': thread } }),
  status: 200,
  toOtherEndUser: 404,
})
const messages = [{ role: 'user', content: CHAT }]

const openAiRoutes: Table = {
  ...group('openai', 'write', {
    'POST /v1/chat/completions': chat('/v1/chat/completions', { messages }),
    'POST /v1/responses': chat('/v1/responses', { input: CHAT }),
    'POST /v1/messages': chat('/v1/messages', { messages, max_tokens: 10 }),
    'POST /v1/messages/count_tokens': send(
      () => '/v1/messages/count_tokens',
      () => ({ model: 'echo/echo', messages }),
    ),
  }),
  ...group('openai', 'read', {
    'GET /v1/models': get(() => '/v1/models'),
    'GET /v1/models/:id{.+}': get(() => '/v1/models/echo/echo'),
  }),
}

/** Every route of the dialects that needs a key, by method and path as the router has them. */
export const guardedRoutes: Table = {
  ...layerRoutes,
  ...stackRoutes,
  ...syncMemoryRoutes,
  ...syncV1Routes,
  ...syncOrgRoutes,
  ...mastraRoutes,
  ...openAiRoutes,
}

/** Those that tell everybody the same, whoever asks. */
export const openRoutes: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    ['/imports', '/exports', '/api/v1/integrations', '/api/v2/integrations'].flatMap((path) =>
      ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].flatMap((method) => [
        [`${method} ${path}`, 501],
        [`${method} ${path}/*`, 501],
      ]),
    ),
  ),
  'ALL /auth/*': 501,
  'ALL /organizations': 501,
  'ALL /organizations/*': 501,
  'ALL /memory/*': 404,
  'ALL /org/*': 404,
  'ALL /v1/history/*': 404,
  'ALL /v1/state/*': 404,
  'ALL /v1/memory/threads/*': 404,
}

/** What a request shows of its sender. MemorySync's own headers are sent where the route takes them. */
export interface Sender {
  readonly key?: string | undefined
  readonly project?: string | undefined
  readonly endUser?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export function sendDialect(base: string, route: string, ids: DialectIds, sender: Sender): Promise<Answer> {
  const { dialect, request } = guardedRoutes[route]!
  const { path, body, headers: own } = request(ids)
  const isForm = body instanceof FormData
  const headers: Record<string, string> = { ...own, ...sender.headers }
  if (sender.key !== undefined) {
    if (dialect === 'sync' && !sender.key.startsWith('uk_')) headers['x-api-key'] = sender.key
    else headers.authorization = `Bearer ${sender.key}`
  }
  if (dialect === 'sync') {
    if (sender.project !== undefined) headers['x-project-id'] = sender.project
    // The v1 routes have the end user in the request itself.
    if (sender.endUser !== undefined && !path.startsWith('/v1/')) headers['x-end-user-id'] = sender.endUser
  }
  if (dialect === 'mastra' || dialect === 'openai') {
    // A native user is nobody but themselves.
    const resource = sender.key?.startsWith('uk_') ? ids.endUser : sender.endUser
    if (resource !== undefined) headers['x-resource-id'] = resource
  }
  if (body !== undefined && !isForm) headers['content-type'] = 'application/json'
  return call(base + path, {
    method: route.split(' ')[0] ?? 'GET',
    headers,
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
  })
}
