import { beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { archiveMemories } from '../../src/domain/memories/delete-memories.ts'
import { projectScope } from '../../src/domain/memories/memory-scope.ts'
import { call, picture } from '../helpers/client.ts'
import { makeApp, serveWithModel, TestApp } from '../helpers/dialects.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { serviceContextOf } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const ada = 'john_doe@gmail.com'
const bob = 'bob@company.com'

async function remember(app: TestApp, content: string, user = ada): Promise<string> {
  const { status, body } = await app.post('/v1/memory/', { content, external_user_id: user })
  expect(status).toBe(201)
  return body.memory.id
}

const contentsOf = (found: readonly { content: string }[]) => found.map(({ content }) => content)

describe('storing', () => {
  it('keeps a memory of an end user, whatever else is in the body', async () => {
    const app = await makeApp(gateway)
    const content = 'User prefers dark mode and uses VS Code'
    const body = { content, external_user_id: ada, metadata: { source: 'onboarding' }, user_id: 'someone', extra: [1] }
    const { status, body: stored } = await app.post('/v1/memory/', body)
    expect(status).toBe(201)
    expect(stored).toEqual({
      status: 'success',
      memory: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        content,
        external_user_id: ada,
        importance_score: expect.any(Number),
        memory_type: 'preference',
        is_summary: false,
        access_count: 0,
        metadata: { source: 'onboarding' },
        created_at: expect.stringMatching(/Z$/),
        updated_at: expect.stringMatching(/Z$/),
        files: [],
      },
    })
    expect((await app.get(`/v1/memory/${stored.memory.id}`)).body.memory).toMatchObject({
      content,
      metadata: body.metadata,
    })
  })

  it('takes a body without a JSON content type', async () => {
    const app = await makeApp(gateway)
    const { status } = await call(`${gateway.url}/v1/memory`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.key}` },
      body: JSON.stringify({ content: 'Bob is building a healthcare app with Python', external_user_id: bob }),
    })
    expect(status).toBe(201)
  })

  it('keeps files with a memory, and gives them back to their account alone', async () => {
    const app = await makeApp(gateway)
    const fields = { content: 'The logo', external_user_id: ada, metadata: '{"a":1}' }
    const file = { field: 'logo', name: 'logo.png', bytes: picture }
    const { status, body } = await app.upload('/v1/memory/', fields, [file])
    expect(status).toBe(201)
    expect(body.memory.metadata).toEqual({ a: 1 })
    expect(body.memory.files).toMatchObject([
      { kind: 'image', mime_type: 'image/png', name: 'logo.png', size: picture.length },
    ])
    const { url } = body.memory.files[0]
    const load = (key: string) => fetch(gateway.url + url, { headers: { authorization: `Bearer ${key}` } })
    expect(new Uint8Array(await (await load(app.key)).arrayBuffer())).toEqual(picture)
    const other = await makeApp(gateway)
    expect((await load(other.key)).status).toBe(404)
    expect((await load('mgk_live_wrong')).status).toBe(401)
    expect((await app.get(`/v1/memory/${body.memory.id}`)).body.memory.files).toEqual(body.memory.files)
  })

  it('keeps a large file, and ignores unknown fields of a form', async () => {
    const app = await makeApp(gateway)
    const bytes = new TextEncoder().encode('A long note. '.repeat(40_000))
    const fields = { content: 'The note', external_user_id: ada, surprise: 'yes' }
    const { status, body } = await app.upload('/v1/memory', fields, [{ field: 'note', name: 'note.txt', bytes }])
    expect(status, JSON.stringify(body)).toBe(201)
    expect(body.memory.files).toMatchObject([{ name: 'note.txt', size: bytes.length }])
    const headers = { authorization: `Bearer ${app.key}` }
    const content = await fetch(gateway.url + body.memory.files[0].url, { headers })
    expect(new Uint8Array(await content.arrayBuffer())).toEqual(bytes)
  })

  it('refuses a file that is not what the gateway takes, and keeps nothing', async () => {
    const app = await makeApp(gateway)
    const fields = { content: 'A program', external_user_id: ada }
    const bytes = new Uint8Array([0x4d, 0x5a, 0, 1, 2, 3, 0, 0])
    const { status, body } = await app.upload('/v1/memory/', fields, [{ field: 'f', name: 'a.exe', bytes }])
    expect([status, Object.keys(body)]).toEqual([415, ['detail']])
    expect((await app.get('/v1/memory/')).body.total_count).toBe(0)
  })

  it('is done once for an Idempotency-Key', async () => {
    const app = await makeApp(gateway)
    const headers = { 'idempotency-key': 'once' }
    const body = { content: 'Only once', external_user_id: ada }
    const first = await app.post('/v1/memory/', body, headers)
    const again = await app.post('/v1/memory/', body, headers)
    expect(again.body).toEqual(first.body)
    expect(again.status).toBe(201)
    expect((await app.get('/v1/memory/')).body.total_count).toBe(1)
    const { status, body: refused } = await app.post('/v1/memory/', { ...body, content: 'Another' }, headers)
    expect([status, refused.message]).toEqual([422, 'Validation error'])
  })
})

describe('searching', () => {
  it('finds by words above a threshold, best first, by POST and by GET', async () => {
    const app = await makeApp(gateway)
    await remember(app, 'User prefers dark mode and uses VS Code')
    await remember(app, 'The cat is called Miso')
    const query = 'What editor does the user prefer?'
    const asked = { query, external_user_id: ada, limit: 5, similarity_threshold: 0.3 }
    const byPost = await app.post('/v1/memory/search', asked)
    expect(byPost.status).toBe(200)
    const [best] = byPost.body.results
    expect(contentsOf([best.memory])).toEqual(['User prefers dark mode and uses VS Code'])
    expect(byPost.body.total_count).toBe(1)
    expect(best.combined_score).toBeCloseTo(0.7 * best.similarity + 0.3 * best.memory.importance_score, 4)
    const params = new URLSearchParams({ query, external_user_id: ada, limit: '5', similarity_threshold: '0.3' })
    const byGet = await app.get(`/v1/memory/search?${params.toString()}`)
    expect(byGet.body.results[0].memory.id).toBe(best.memory.id)
  })

  it('keeps end users apart, and pools them where none is named', async () => {
    const app = await makeApp(gateway)
    await remember(app, 'Likes green tea', ada)
    await remember(app, 'Likes green paint', bob)
    const search = async (fields: object) => {
      const { body } = await app.post('/v1/memory/search', { query: 'green', similarity_threshold: 0.1, ...fields })
      return body.results.map((one: { memory: { external_user_id: string } }) => one.memory.external_user_id).toSorted()
    }
    expect(await search({ external_user_id: ada })).toEqual([ada])
    expect(await search({})).toEqual([bob, ada])
    expect(await search({ external_user_id: 'nobody@example.com' })).toEqual([])
  })

  it('gives 10 results unless asked for more or less, of what is as similar as 0.35', async () => {
    const app = await makeApp(gateway)
    for (let n = 0; n < 12; n++) await remember(app, `apple number${n}`)
    await remember(app, 'apple and eleven other words make this one too long to be alike enough here')
    const count = async (fields: object) =>
      (await app.post('/v1/memory/search', { query: 'apple', ...fields })).body.total_count
    expect(await count({})).toBe(10)
    expect(await count({ limit: 100 })).toBe(12)
    expect(await count({ limit: 3 })).toBe(3)
    expect(await count({ limit: 100, similarity_threshold: 0 })).toBe(13)
  })
})

describe('listing', () => {
  it('goes through all memories of the project, newest first', async () => {
    const app = await makeApp(gateway)
    for (const [n, user] of [ada, bob, ada].entries()) await remember(app, `Memory ${n}`, user)
    const all = await app.get('/v1/memory/')
    expect(contentsOf(all.body.memories)).toEqual(['Memory 2', 'Memory 1', 'Memory 0'])
    expect(all.body).toMatchObject({ total_count: 3, limit: 50, offset: 0 })
    const page = await app.get('/v1/memory/?limit=1&offset=1')
    expect(contentsOf(page.body.memories)).toEqual(['Memory 1'])
    const own = await app.get(`/v1/memory/?external_user_id=${encodeURIComponent(ada)}`)
    expect(contentsOf(own.body.memories)).toEqual(['Memory 2', 'Memory 0'])
  })
})

describe('deleting', () => {
  it('is for good', async () => {
    const app = await makeApp(gateway)
    const id = await remember(app, 'Soon gone')
    const headers = { 'idempotency-key': 'delete' }
    const { status, body } = await app.send('DELETE', `/v1/memory/${id}`, undefined, headers)
    expect([status, body]).toEqual([200, { status: 'success', message: 'Memory deleted', memory_id: id }])
    expect((await app.send('DELETE', `/v1/memory/${id}`, undefined, headers)).status).toBe(200)
    expect((await app.delete(`/v1/memory/${id}`)).status).toBe(404)
    expect((await app.get(`/v1/memory/${id}`)).body).toEqual({ detail: 'Memory not found' })
  })

  it('of what is not there keeps no answer for its Idempotency-Key', async () => {
    const app = await makeApp(gateway)
    const path = '/v1/memory/e32754fa-9b24-4c3e-b8f1-2a1c9d3e4f56'
    for (let n = 0; n < 2; n++) {
      expect((await app.send('DELETE', path, undefined, { 'idempotency-key': 'unknown' })).status).toBe(404)
    }
  })
})

describe('chat', () => {
  const question = 'What am I building?'

  it('answers with what is remembered of the user', async () => {
    const app = await makeApp(gateway)
    await remember(app, 'User is building a SaaS dashboard in React')
    await remember(app, 'Bob is building a boat', bob)
    const prompts: string[] = []
    await using stack = new AsyncDisposableStack()
    const served = await serveWithModel(gateway, (prompt) => {
      prompts.push(prompt)
      return 'You are building a dashboard.'
    })
    stack.defer(() => served.close())
    const ask = (path: string, body: object) =>
      call(served.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${app.key}` },
        body: JSON.stringify(body),
      })
    const { status, body } = await ask('/v1/chat/', { message: question, external_user_id: ada, top_k: 5 })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body).toEqual({
      reply: 'You are building a dashboard.',
      used_memories: [{ memory_text: 'User is building a SaaS dashboard in React', score: expect.any(Number) }],
      memory_created: true,
    })
    expect(prompts.join('\n')).toContain('SaaS dashboard in React')
    expect(prompts.join('\n')).not.toContain('boat')
    const legacy = await ask('/v1/chat/legacy', { message: question, external_user_id: ada })
    expect(legacy.body).toEqual({
      reply: 'You are building a dashboard.',
      memory_ids: [expect.any(String)],
      mode: 'process',
      memories_used: [
        {
          id: legacy.body.memory_ids[0],
          content: 'User is building a SaaS dashboard in React',
          similarity: expect.any(Number),
        },
      ],
    })
    expect((await ask('/v1/chat/', { message: 'Thanks!', external_user_id: ada })).body.memory_created).toBe(false)
    const { body: known } = await app.get(`/v1/memory/?external_user_id=${encodeURIComponent(ada)}`)
    expect(contentsOf(known.memories)).toEqual([question, 'User is building a SaaS dashboard in React'])
    expect((await ask('/v1/chat/legacy', { message: 'Hello there' })).status).toBe(200)
  })

  it('names the setting where there is no model', async () => {
    const app = await makeApp(gateway)
    for (const path of ['/v1/chat/', '/v1/chat/legacy']) {
      const { status, body } = await app.post(path, { message: question, external_user_id: ada })
      expect([status, Object.keys(body)]).toEqual([503, ['detail']])
      expect(body.detail).toContain('CHAT_MODEL')
    }
  })
})

describe('upkeep', () => {
  it('counts what there is', async () => {
    const app = await makeApp(gateway)
    await remember(app, 'Likes tea', ada)
    await remember(app, 'Likes coffee', bob)
    const { body } = await app.get('/v1/memory/stats')
    expect(body).toMatchObject({
      status: 'success',
      stats: { total_memories: 2, archived_memories: 0, total_users: 2, memories_by_type: { preference: 2 } },
    })
    const own = await app.get(`/v1/memory/stats?external_user_id=${encodeURIComponent(bob)}`)
    expect(own.body.stats.total_memories).toBe(1)
  })

  it('prunes what matters little, after saying so', async () => {
    const app = await makeApp(gateway)
    const ids = [await remember(app, 'One'), await remember(app, 'Two'), await remember(app, 'Three')]
    const prune = async (query: string) => (await app.post(`/v1/memory/prune?${query}`)).body
    expect(await prune('dry_run=true&max_memories=1')).toMatchObject({
      status: 'success',
      dry_run: true,
      pruned_count: 2,
      archived_count: 0,
      reasons: { max_memories: 2 },
    })
    expect((await app.get('/v1/memory/')).body.total_count).toBe(3)
    expect(await prune('max_memories=2')).toMatchObject({ archived_count: 1, deleted_count: 0, memory_ids: [ids[0]] })
    expect(await prune('max_memories=1&archive_only=false')).toMatchObject({ deleted_count: 1, memory_ids: [ids[1]] })
    expect(contentsOf((await app.get('/v1/memory/')).body.memories)).toEqual(['Three'])
    expect(await prune('')).toMatchObject({ dry_run: false, archive_only: true, pruned_count: 0 })
  })

  it('summarises related memories', async () => {
    const app = await makeApp(gateway)
    for (const place of ['Lisbon', 'Porto', 'Faro']) await remember(app, `Wants a quiet hotel room in ${place}`)
    const { status, body } = await app.post('/v1/memory/summarize')
    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'success', summaries_created: 1, memories_compared: 3, complete: true })
    expect(body.summaries[0].source_memory_ids).toHaveLength(3)
    expect((await app.post('/v1/memory/summarize')).body.summaries_created).toBe(0)
  })

  it('does each maintenance job, and all of them', async () => {
    const app = await makeApp(gateway)
    await remember(app, 'Something')
    const jobs = ['pruning', 'summarization', 'link-optimization', 'importance-recalculation']
    for (const job of jobs) {
      const { status, body } = await app.post(`/v1/memory/maintenance/${job}`)
      expect([status, body.job_type, body.results.map((one: { job: string }) => one.job)]).toEqual([200, job, [job]])
    }
    const { body } = await app.post('/v1/memory/maintenance/all')
    expect(body.results.map((one: { job: string }) => one.job)).toEqual(jobs)
    const unknown = await app.post('/v1/memory/maintenance/other')
    expect([unknown.status, unknown.body.details[0].loc]).toEqual([422, ['path', 'job_type']])
  })
})

describe('keys', () => {
  it('are made, listed and revoked with an admin key of the account', async () => {
    const admin = await makeApp(gateway, { scopes: ['admin'] })
    const { status, body: made } = await admin.post('/v1/keys/', { name: 'Production Key' })
    expect(status).toBe(201)
    expect(made).toMatchObject({
      name: 'Production Key',
      is_active: true,
      api_key: expect.stringMatching(/^mgk_live_/),
    })
    const use = () => call(`${gateway.url}/v1/memory/`, { headers: { authorization: `Bearer ${made.api_key}` } })
    expect((await use()).status).toBe(200)
    const { body: list } = await admin.get('/v1/keys/')
    expect(list.total_count).toBe(2)
    expect(JSON.stringify(list)).not.toContain(made.api_key)
    const revoked = await admin.post(`/v1/keys/${made.id}/revoke`)
    expect(revoked.body).toMatchObject({ status: 'success', key: { id: made.id, is_active: false } })
    expect(await use()).toMatchObject({ status: 401, body: { detail: 'Invalid or missing API key' } })
    expect((await admin.post(`/v1/keys/${made.id}/revoke`)).body).toEqual({ detail: 'API key not found' })
  })

  it('are of their account alone, and need the scope admin', async () => {
    const [one, other] = [await makeApp(gateway, { scopes: ['admin'] }), await makeApp(gateway, { scopes: ['admin'] })]
    const { body: made } = await one.post('/v1/keys/', { name: 'Mine' })
    expect((await other.post(`/v1/keys/${made.id}/revoke`)).status).toBe(404)
    expect((await other.get('/v1/keys/')).body.total_count).toBe(1)
    const plain = await makeApp(gateway)
    expect((await plain.get('/v1/keys/')).status).toBe(403)
    expect((await plain.post('/v1/keys/', { name: 'x' })).status).toBe(403)
    expect((await plain.post(`/v1/keys/${made.id}/revoke`)).status).toBe(403)
  })
})

describe('a key that is locked to a project', () => {
  it('sees that project alone, in which an end user is somebody else', async () => {
    const admin = await makeApp(gateway, { scopes: ['admin'] })
    const ctx = await serviceContextOf(gateway, admin.key)
    const { secret } = await createApiKey(ctx, admin.accountId, { name: 'locked', project_id: 'other' })
    const locked = new TestApp(gateway.url, secret, admin.accountId)
    const [here, there] = [await remember(admin, 'Lives here'), await remember(locked, 'Lives there')]
    for (const [app, own, foreign] of [
      [admin, here, there],
      [locked, there, here],
    ] as const) {
      expect((await app.get('/v1/memory/')).body.memories).toMatchObject([{ id: own }])
      expect((await app.get(`/v1/memory/${foreign}`)).status).toBe(404)
      const found = await app.post('/v1/memory/search', { query: 'lives', external_user_id: ada })
      expect(found.body.results.map((one: { memory: { id: string } }) => one.memory.id)).toEqual([own])
    }
  })
})

describe('a memory that is archived', () => {
  it('is not found', async () => {
    const app = await makeApp(gateway)
    const id = await remember(app, 'Put away')
    const ctx = await serviceContextOf(gateway, app.key)
    await archiveMemories(ctx, projectScope(ctx), [id])
    expect((await app.get(`/v1/memory/${id}`)).status).toBe(404)
    expect((await app.get('/v1/memory/')).body.total_count).toBe(0)
  })
})
