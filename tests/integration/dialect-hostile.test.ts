import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scopes } from '../../src/db/schema/scopes.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import type { MemoryRow } from '../../src/domain/memories/queries.ts'
import { searchMemories } from '../../src/domain/memories/search-memories.ts'
import { getUsage } from '../../src/domain/usage/get-usage.ts'
import type { MemoryHit } from '../../src/ports/memory-backend.ts'
import { type Answer, call } from '../helpers/client.ts'
import { type DialectOwner, makeDialectOwner } from '../helpers/dialect-owner.ts'
import { serveEcho } from '../helpers/echo-model.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { someone } from '../helpers/memories.ts'
import { systemContextOf } from '../helpers/service.ts'

let gateway: TestGateway
let base: string
let close: () => Promise<void>
let owner: DialectOwner

beforeAll(async () => {
  gateway = await sharedGateway()
  const served = await serveEcho(gateway)
  base = served.url
  close = served.close
  owner = await makeDialectOwner(gateway, base)
})
afterAll(() => close())

const v1 = { tenant_id: 'acme', user_id: 'ada@example.com' }

function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return call(base + path, {
    method,
    headers: {
      authorization: `Bearer ${owner.projectKey}`,
      ...(path.startsWith('/memory') && { 'x-end-user-id': v1.user_id }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

describe('a time that the database does not keep', () => {
  const turn = (at: string) => ({ ...v1, session_id: 's', turns: [{ role: 'user', content: 'x', occurred_at: at }] })
  it.each(['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+14:00', '0099-06-01T00:00:00Z', '9999-12-31T23:59:59-14:00'])(
    '%s is refused',
    async (at) => {
      const asked = [
        send('POST', '/memory/query', { query: 'harbour', filters: { since: at } }),
        send('POST', '/memory/query', { query: 'harbour', filters: { until: at } }),
        send('DELETE', '/memory/forget', { filters: { before: at }, dry_run: true }),
        send('POST', '/v1/history/append', turn(at)),
      ]
      for (const answer of await Promise.all(asked))
        expect([answer.status, answer.body.detail]).toEqual([422, [expect.anything()]])
      const imported = await send('POST', '/api/v1/memories/import', { memories: [{ content: 'x', created_at: at }] })
      expect([imported.status, imported.body.error]).toEqual([400, 'Invalid request payload'])
    },
  )

  it('is kept as it is within the bounds', async () => {
    const at = '1000-01-01T00:00:00.000Z'
    const { status, body } = await send('POST', '/v1/history/append', turn(at))
    expect([status, body.items[0].occurred_at]).toEqual([200, at])
  })

  it('is refused as the end of a key, and where usage is looked up', async () => {
    const ctx = systemContextOf(gateway)
    const usage = (input: object) => getUsage(ctx, owner.accountId, input)
    await expect(usage({ from: '0000-01-01' })).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(usage({ to: '0001-01-01' })).rejects.toMatchObject({ code: 'invalid_request' })
    const cursor = (sort: number) => Buffer.from(JSON.stringify([sort, 'key_1'])).toString('base64url')
    for (const sort of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 8.64e15]) {
      await expect(usage({ cursor: cursor(sort) })).rejects.toMatchObject({ code: 'invalid_request' })
    }
    expect((await usage({ cursor: cursor(Date.now()) })).days).toEqual([])
  })
})

describe('a name that every object has', () => {
  it.each(['constructor', '__proto__', 'valueOf', 'toString'])('%s is a role as any other', async (role) => {
    const turns = [{ role, content: 'I own the boat' }]
    const { status, body } = await send('POST', '/v1/history/append', { ...v1, session_id: 'roles', turns })
    expect([status, body.items?.[0].role]).toEqual([200, role.toLowerCase()])
    const learned = await send('POST', '/v1/memory/add_turn', { ...v1, role, text: 'I own the boat' })
    expect([learned.status, learned.body.processing_status]).toEqual([200, 'skipped_non_user_turn'])
  })

  it.each(['constructor', '__proto__'])('%s is no field of a request', async (name) => {
    const text = `{"query":"harbour","${name}":{"limit":1,"k":1}}`
    for (const path of ['/v1/memory/search', '/memory/query']) {
      const { status } = await call(base + path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${owner.projectKey}`,
          'x-end-user-id': v1.user_id,
          'content-type': 'application/json',
        },
        body: text,
      })
      expect(status).toBe(200)
    }
    expect(Object.prototype).not.toHaveProperty('limit')
  })
})

describe('text that the database does not keep', () => {
  const bad = ['a\0b', '\ud800', 'a\udfff']

  it.each(bad)('%j is refused in every free text', async (text) => {
    const { memory } = owner.ids
    const turn = { role: 'user', content: 'x' }
    const answers: Record<string, Answer> = {}
    const ask = async (method: string, path: string, body: object) => {
      answers[`${method} ${path} ${JSON.stringify(body)}`] = await send(method, path, body)
    }
    for (const field of ['content', 'external_user_id']) {
      await ask('POST', '/v1/memory/', { content: 'x', external_user_id: 'ada', [field]: text })
    }
    await ask('POST', '/v1/memory/', { content: 'x', external_user_id: 'ada', metadata: { a: [text] } })
    await ask('POST', '/v1/memory/', { content: 'x', external_user_id: 'ada', metadata: { [text]: 1 } })
    await ask('POST', '/v1/memory/search', { query: text })
    await ask('POST', '/v1/memory/search', { query: 'x', external_user_id: text })
    await ask('POST', '/v1/chat/', { message: text, external_user_id: 'ada' })
    await ask('POST', '/v1/chat/', { message: 'x', external_user_id: 'ada', conversation_id: text })
    await ask('POST', '/v1/keys/', { name: text })
    const spoken = { messages: [{ role: 'user', content: 'I love tea' }] }
    await ask('POST', '/api/v1/memories', { messages: [{ role: 'user', content: text }] })
    for (const field of [
      'user_id',
      'agent_id',
      'team_id',
      'session_id',
      'conversation_id',
      'agent_name',
      'agent_type',
    ]) {
      await ask('POST', '/api/v1/memories', { ...spoken, [field]: text })
    }
    await ask('POST', '/api/v1/memories', { ...spoken, metadata: { a: text } })
    await ask('PATCH', `/api/v1/memories/${memory.id}`, { content: text })
    await ask('PATCH', `/api/v1/memories/${memory.id}`, { memory_type: text })
    await ask('POST', '/api/v1/memories/import', { memories: [{ content: text }] })
    await ask('POST', '/api/v1/memories/export', { user_id: text })
    const item = { text: 'The keeper of the lighthouse' }
    for (const field of ['text', 'source', 'event_type', 'memory_type', 'session_id', 'client_ref', 'end_user_id']) {
      await ask('POST', '/memory/add', { ...item, [field]: `${text} and ten more` })
    }
    await ask('POST', '/memory/add', { ...item, tags: [text] })
    await ask('POST', '/memory/query', { query: text })
    await ask('POST', '/memory/query', { query: 'x', filters: { tags: [text] } })
    await ask('POST', '/memory/query', { query: 'x', filters: { source: text } })
    await ask('POST', '/memory/query', { query: 'x', session_id: text })
    await ask('POST', '/memory/compose', { prompt_template: text })
    await ask('PATCH', `/memory/${memory.number}`, { tags: [text] })
    await ask('POST', `/memory/${memory.number}/feedback`, { signal: 'positive', comment: text })
    await ask('POST', `/memory/${memory.number}/relations`, { to_memory_id: 1, relationship_type: text })
    await ask('PUT', '/memory/ontology', { content_types: [text] })
    await ask('POST', '/memory/search/routed', { query: text })
    await ask('POST', '/memory/synthesize', { query: text })
    await ask('POST', '/v1/memory/add_turn', { ...v1, text })
    await ask('POST', '/v1/memory/add_turn', { ...v1, text: 'x', speaker: text })
    await ask('POST', '/v1/memory/recall', { ...v1, prompt: text })
    await ask('POST', '/v1/memory/recall', { ...v1, prompt: 'x', types: [text] })
    await ask('POST', '/v1/history/append', { ...v1, session_id: text, turns: [turn] })
    for (const field of ['content', 'role', 'idempotency_key', 'payload']) {
      await ask('POST', '/v1/history/append', { ...v1, session_id: 's', turns: [{ ...turn, [field]: text }] })
    }
    await ask('POST', '/v1/history/list', { ...v1, session_id: text })
    await ask('POST', '/v1/history/delete', { ...v1, session_id: text })
    const state = { ...v1, namespace: ['a'], key: 'k' }
    for (const [field, value] of [
      ['namespace', [text]],
      ['key', text],
      ['text', text],
      ['source', text],
    ] as const) {
      await ask('POST', '/v1/state/put', { ...state, value: { a: 1 }, [field]: value })
    }
    await ask('POST', '/v1/state/put', { ...state, value: { a: text } })
    await ask('POST', '/v1/state/get', { ...state, key: text })
    await ask('POST', '/v1/state/list', { ...v1, namespace_prefix: [text] })
    await ask('POST', '/v1/state/search', { ...v1, query: text })
    await ask('POST', '/v1/state/delete', { ...state, keys: [text] })
    await ask('POST', '/v1/state/namespaces', { ...v1, prefix: [text] })
    await ask('POST', '/org/projects', { name: text })
    const hook = { name: 'x', url: 'https://hooks.example.com/', events: ['memory.created'] }
    for (const field of ['name', 'url', 'description']) await ask('POST', '/org/webhooks', { ...hook, [field]: text })
    const refusals = Object.entries(answers).filter(([, { status }]) => status !== 422 && status !== 400)
    expect(refusals.map(([request, { status }]) => [request, status])).toEqual([])
  })

  it.each(['%00', 'a%00b', '%ED%A0%80', '%FF'])('%s is no id in a path', async (text) => {
    const { memory } = owner.ids
    for (const [method, path] of [
      ['GET', `/v1/memory/${text}`],
      ['DELETE', `/v1/memory/${text}`],
      ['GET', `/v1/memory/${memory.id}/files/att_${text}`],
      ['POST', `/v1/keys/${text}/revoke`],
      ['GET', `/api/v1/memories/${text}`],
      ['DELETE', `/api/v1/memories/${text}`],
      ['GET', `/api/v1/memories/${memory.id}/files/${text}`],
      ['GET', `/memory/${memory.number}/files/${text}`],
      ['GET', `/v1/memory/status/${text}`],
      ['DELETE', `/org/projects/${text}`],
      ['POST', `/org/projects/${text}/archive`],
    ] as const) {
      const { status } = await send(method, path)
      expect([method, path, status]).toEqual([method, path, 404])
    }
    for (const path of [`/v1/memory?external_user_id=a${text}`, `/api/v1/memories?user_id=a${text}`]) {
      expect([200, 400, 422]).toContain((await send('GET', path)).status)
    }
  })
})

it('more files in a conversation than an upload may have are refused, and nothing is stored', async () => {
  const parts = (count: number) =>
    Array.from({ length: count }, () => ({ type: 'document', data: 'aGVsbG8=', name: 'a.txt' }))
  const asked = (count: number) => {
    const half = Math.floor(count / 2)
    const messages = [parts(half), parts(count - half)].map((content) => ({ role: 'user', content }))
    return send('POST', '/api/v1/memories', { messages, user_id: 'many-files' })
  }
  const most = gateway.services.limits.files
  const refused = await asked(most + 1)
  expect([refused.status, refused.body]).toEqual([413, { error: expect.stringContaining(`${most} files`) }])
  expect((await send('GET', '/api/v1/memories?user_id=many-files')).body.count).toBe(0)
  const taken = await asked(most)
  expect([taken.status, taken.body.memories_created]).toEqual([200, 2])
})

it.each([
  ['/v1/memory/', { content: 'x', external_user_id: 'ada' }],
  ['/memory/upload', {}],
])('%s refuses metadata in a form that is more than JSON of a body may be', async (path, fields) => {
  const metadata = [
    `{"a":[${'0,'.repeat(25_000)}0]}`,
    `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
    '{"a":"\\u0000"}',
    '[]',
    '{',
  ]
  for (const text of metadata) {
    const form = new FormData()
    for (const [name, value] of Object.entries({ ...fields, metadata: text })) form.set(name, value)
    form.set('file', new Blob(['The heron stands in the reeds']), 'a.txt')
    const headers = { authorization: `Bearer ${owner.projectKey}`, 'x-end-user-id': v1.user_id }
    expect((await call(base + path, { method: 'POST', headers, body: form })).status).toBe(422)
  }
})

describe('a backend that answers with what is not the user’s', () => {
  it('has it dropped, counted and told; what it still holds of deleted memories is no alarm', async () => {
    const [one, other] = [await someone(gateway), await someone(gateway)]
    const [kept, gone, foreign] = [
      await one.remember('The heron stands in the reeds'),
      await one.remember('The stork stands on the roof'),
      await other.remember('The crane stands in the yard'),
    ]
    await deleteMemories(one.ctx, one.scope, [gone.id])
    const own = await hitOf(kept)
    const theirs = await hitOf(foreign)
    const hits = [
      own,
      { ...own, sessionId: await upstreamName(gone) },
      theirs,
      { ...own, senderId: theirs.senderId },
      { ...own, projectId: theirs.projectId },
      { ...own, sessionId: theirs.sessionId },
      { ...own, sessionId: 'nobody-knows' },
    ]
    const dropped: string[] = []
    const { services } = one.ctx
    const hitDropped = (reason: string) => dropped.push(reason)
    const ctx = {
      ...one.ctx,
      services: {
        ...services,
        backend: { ...services.backend, search: () => Promise.resolve({ hits, method: 'backend' as const }) },
        events: { ...services.events, hitDropped },
      },
    }
    const { found, backendAsked } = await searchMemories(ctx, one.scope, { query: 'quite another thing', limit: 10 })
    expect([backendAsked, found.map(({ memory }) => memory.id)]).toEqual([true, [kept.id]])
    expect(dropped).toEqual(['partition', 'sender', 'partition', 'session', 'session'])
  })

  async function upstreamName({ sessionId }: MemoryRow): Promise<string> {
    const [row] = await gateway.services.db.select().from(sessions).where(eq(sessions.id, sessionId))
    return row?.upstreamSessionId ?? ''
  }

  async function hitOf(memory: MemoryRow): Promise<MemoryHit> {
    const [row] = await gateway.services.db
      .select({ scope: scopes, session: sessions })
      .from(sessions)
      .innerJoin(scopes, eq(scopes.id, sessions.scopeId))
      .where(eq(sessions.id, memory.sessionId))
    if (!row) throw new Error('The memory has no session.')
    return {
      id: 'hit',
      projectId: row.scope.upstreamProjectId,
      senderId: row.scope.upstreamSenderId,
      sessionId: row.session.upstreamSessionId,
      text: 'x',
      facts: [],
      score: 1,
      timestamp: Date.now(),
    }
  }
})
