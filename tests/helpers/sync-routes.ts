import type { Json } from './memory-sync.ts'

/** What an end user owns, that a request may name. */
export interface OwnedMemories {
  readonly one: number
  readonly other: number
  /** Of a memory of its own. */
  readonly upload: { readonly memory: number; readonly file: string }
}

export interface SyncRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: (ids: OwnedMemories) => string
  readonly body?: (ids: OwnedMemories) => unknown
  /** What its owner gets. */
  readonly status: number
  /** What another user gets who names the owner's ids; undefined: it names none. */
  readonly toOthers?: 404 | 'nothing'
  readonly scope: 'read' | 'write'
  /** False where it is about the project as a whole. */
  readonly needsEndUser?: false
}

const form = () => {
  const data = new FormData()
  data.set('file', new Blob(['The tortoise is called Methuselah and eats dandelions.']), 'tortoise.txt')
  return data
}

/** Every route of `/memory` that works without a chat model, with a valid request. */
export const syncRoutes: Readonly<Record<string, SyncRoute>> = {
  add: {
    method: 'POST',
    path: () => '/memory/add',
    body: () => ({ text: `The tortoise is called Methuselah ${Math.random()}` }),
    status: 201,
    scope: 'write',
  },
  'bulk-add': {
    method: 'POST',
    path: () => '/memory/bulk-add',
    body: () => ({ items: [{ text: `The tortoise is called Methuselah ${Math.random()}` }] }),
    status: 200,
    scope: 'write',
  },
  query: {
    method: 'POST',
    path: () => '/memory/query',
    body: () => ({ query: 'harbour' }),
    status: 200,
    scope: 'read',
    toOthers: 'nothing',
  },
  retrieve: {
    method: 'POST',
    path: () => '/memory/retrieve',
    body: () => ({ query: 'harbour' }),
    status: 200,
    scope: 'read',
    toOthers: 'nothing',
  },
  compose: {
    method: 'POST',
    path: () => '/memory/compose',
    body: () => ({ prompt_template: 'The harbour: {{memories}}' }),
    status: 200,
    scope: 'read',
    toOthers: 'nothing',
  },
  upload: { method: 'POST', path: () => '/memory/upload', body: form, status: 201, scope: 'write' },
  get: { method: 'GET', path: ({ one }) => `/memory/${one}`, status: 200, toOthers: 404, scope: 'read' },
  update: {
    method: 'PATCH',
    path: ({ one }) => `/memory/${one}`,
    body: () => ({ tags: ['seen'] }),
    status: 200,
    toOthers: 404,
    scope: 'write',
  },
  delete: { method: 'DELETE', path: ({ other }) => `/memory/${other}`, status: 204, toOthers: 404, scope: 'write' },
  forget: {
    method: 'DELETE',
    path: () => '/memory/forget',
    body: ({ one }) => ({ memory_ids: [one] }),
    status: 200,
    toOthers: 'nothing',
    scope: 'write',
  },
  'batch-update': {
    method: 'POST',
    path: () => '/memory/batch-update',
    body: ({ one }) => ({ items: [{ memory_id: one, tags: ['seen'] }] }),
    status: 207,
    toOthers: 'nothing',
    scope: 'write',
  },
  summarize: {
    method: 'POST',
    path: () => '/memory/summarize',
    body: ({ one, other }) => ({ memory_ids: [one, other] }),
    status: 201,
    toOthers: 404,
    scope: 'write',
  },
  relations: {
    method: 'POST',
    path: ({ one }) => `/memory/${one}/relations`,
    body: ({ other }) => ({ to_memory_id: other, relationship_type: 'supports' }),
    status: 201,
    toOthers: 404,
    scope: 'write',
  },
  history: { method: 'GET', path: ({ one }) => `/memory/${one}/history`, status: 200, toOthers: 404, scope: 'read' },
  feedback: {
    method: 'POST',
    path: ({ one }) => `/memory/${one}/feedback`,
    body: () => ({ signal: 'positive' }),
    status: 200,
    toOthers: 404,
    scope: 'write',
  },
  file: {
    method: 'GET',
    path: ({ upload }) => `/memory/${upload.memory}/files/${upload.file}`,
    status: 200,
    toOthers: 404,
    scope: 'read',
  },
  export: { method: 'GET', path: () => '/memory/export', status: 200, toOthers: 'nothing', scope: 'read' },
  graph: {
    method: 'GET',
    path: ({ one }) => `/memory/graph?memory_id=${one}`,
    status: 200,
    toOthers: 404,
    scope: 'read',
  },
  'graph of all': { method: 'GET', path: () => '/memory/graph', status: 200, toOthers: 'nothing', scope: 'read' },
  clusters: { method: 'GET', path: () => '/memory/clusters', status: 200, toOthers: 'nothing', scope: 'read' },
  stats: { method: 'GET', path: () => '/memory/knowledge/stats', status: 200, toOthers: 'nothing', scope: 'read' },
  decisions: { method: 'GET', path: () => '/memory/decisions', status: 200, toOthers: 'nothing', scope: 'read' },
  refresh: { method: 'POST', path: () => '/memory/refresh', status: 202, toOthers: 'nothing', scope: 'write' },
  ontology: { method: 'GET', path: () => '/memory/ontology', status: 200, scope: 'read', needsEndUser: false },
  'set ontology': {
    method: 'PUT',
    path: () => '/memory/ontology',
    body: () => ({ content_types: ['recipe'] }),
    status: 200,
    scope: 'write',
    needsEndUser: false,
  },
}

/** A request's body with keys that no route knows, and those that the vendor calls deprecated. */
export function withForeignKeys(body: unknown): unknown {
  const foreign: Json = { user_id: 1, project_id: 'another', environment: 'x', no_such_key: { a: [1] } }
  return body instanceof FormData || body === undefined ? body : { ...(body as object), ...foreign }
}
