import { beforeAll, describe, expect, it } from 'vitest'
import { picture, tone } from '../helpers/client.ts'
import { makeApp, TestApp } from '../helpers/dialects.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { makeManager } from '../helpers/org.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const conversation = [
  { role: 'user', content: 'I love TypeScript' },
  { role: 'assistant', content: 'TypeScript is great!' },
]
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

/** Stored as they are, and given back in their order. */
async function put(app: TestApp, memories: readonly object[]): Promise<string[]> {
  const { status, body } = await app.post('/api/v1/memories/import', { memories })
  expect(status, JSON.stringify(body)).toBe(200)
  return body.memory_ids
}

const contentsOf = (found: readonly { content: string }[]) => found.map(({ content }) => content)

describe('creating', () => {
  it('stores what a conversation says', async () => {
    const app = await makeApp(gateway)
    const { status, body } = await app.post('/api/v1/memories', {
      messages: conversation,
      user_id: 'user_123',
      metadata: { source: 'chat' },
      unknown: true,
    })
    expect([status, body]).toEqual([
      200,
      {
        success: true,
        memories_created: 2,
        memory_ids: [expect.any(String), expect.any(String)],
        owner_id: app.accountId,
        user_id: 'user_123',
      },
    ])
    const { body: list } = await app.get('/api/v1/memories?user_id=user_123&limit=20')
    expect(list).toMatchObject({ success: true, count: 2, next_cursor: null })
    expect(list.results.map((one: { id: string }) => one.id).toSorted()).toEqual(body.memory_ids.toSorted())
    expect(list.results[0]).toMatchObject({
      metadata: { source: 'chat' },
      end_user_id: 'user_123',
      source_type: 'text',
    })
  })

  it('keeps memories of no end user for the owner', async () => {
    const app = await makeApp(gateway)
    const messages = [{ role: 'user', content: 'I prefer coffee over tea' }]
    expect((await app.post('/api/v1/memories', { messages })).body).toMatchObject({
      memories_created: 1,
      user_id: null,
    })
    await app.post('/api/v1/memories', { messages, user_id: 'self' })
    expect((await app.get('/api/v1/memories?user_id=self')).body.count).toBe(2)
    expect((await app.post('/api/v1/memories', { messages, user_id: 'all' })).status).toBe(400)
  })

  it('says so if there is nothing to remember', async () => {
    const app = await makeApp(gateway)
    const { status, body } = await app.post('/api/v1/memories', { messages: [{ role: 'user', content: 'Hello!' }] })
    expect([status, body]).toEqual([
      200,
      {
        success: true,
        memories_created: 0,
        memory_ids: [],
        owner_id: app.accountId,
        user_id: null,
        message: expect.any(String),
      },
    ])
  })

  it('keeps the files of a message with what it says', async () => {
    const app = await makeApp(gateway)
    const { status, body } = await app.post('/api/v1/memories/', {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'I love this logo' },
            { type: 'image', data: base64(picture), mimeType: 'image/png' },
          ],
        },
        { role: 'user', content: { type: 'audio', data: `data:audio/wav;base64,${base64(tone)}` } },
        {
          role: 'user',
          content: [{ type: 'document', data: base64(Buffer.from('Some notes.')), mimeType: 'text/plain' }],
        },
      ],
    })
    expect(status, JSON.stringify(body)).toBe(200)
    const { body: list } = await app.get('/api/v1/memories/?order=asc')
    expect(list.results.map((one: { source_type: string }) => one.source_type)).toEqual(['image', 'audio', 'document'])
    const [file] = list.results[0].files
    const load = (key: string) => fetch(gateway.url + file.url, { headers: { 'x-api-key': key } })
    expect(new Uint8Array(await (await load(app.key)).arrayBuffer())).toEqual(picture)
    expect((await load((await makeApp(gateway)).key)).status).toBe(404)
  })

  it('takes a body of several megabytes', async () => {
    const app = await makeApp(gateway)
    const notes = Buffer.from('A long note. '.repeat(200_000))
    const content = [{ type: 'document', data: base64(notes), name: 'notes.txt' }]
    const { status, body } = await app.post('/api/v1/memories', { messages: [{ role: 'user', content }] })
    expect(status, JSON.stringify(body)).toBe(200)
    const { memory } = (await app.get(`/api/v1/memories/${body.memory_ids[0]}`)).body
    expect(memory).toMatchObject({ content: 'doc: notes.txt', files: [{ name: 'notes.txt', size: notes.length }] })
  })

  it.each([
    ['a picture that is none', { type: 'image', data: base64(tone), mimeType: 'image/png' }, 415],
    ['a file that is not base64', { type: 'image', data: '***' }, 400],
    ['a kind that there is not', { type: 'video', data: base64(tone) }, 400],
  ])('refuses %s, and keeps nothing', async (_what, part, expected) => {
    const app = await makeApp(gateway)
    const messages = [
      { role: 'user', content: 'I love TypeScript' },
      { role: 'user', content: [part] },
    ]
    const { status, body } = await app.post('/api/v1/memories', { messages })
    expect([status, typeof body.error]).toEqual([expected, 'string'])
    expect((await app.get('/api/v1/memories')).body.count).toBe(0)
  })

  it('is done once for an Idempotency-Key', async () => {
    const app = await makeApp(gateway)
    const add = () => app.post('/api/v1/memories', { messages: conversation }, { 'idempotency-key': 'once' })
    const [first, again] = [await add(), await add()]
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect((await app.get('/api/v1/memories')).body.count).toBe(2)
  })
})

describe('listing', () => {
  it('filters by user, type and confidence', async () => {
    const app = await makeApp(gateway)
    await put(app, [
      { content: 'One', memory_type: 'fact', confidence: 0.5 },
      { content: 'Two', memory_type: 'goal', confidence: 0.9, user_id: 'ada' },
      { content: 'Three', memory_type: 'fact', confidence: 0.8, end_user_id: 'bob' },
    ])
    const list = async (query: string) => contentsOf((await app.get(`/api/v1/memories?${query}`)).body.results)
    expect(await list('')).toEqual(['Three', 'Two', 'One'])
    expect(await list('user_id=all&order=asc')).toEqual(['One', 'Two', 'Three'])
    expect(await list('user_id=self')).toEqual(['One'])
    expect(await list('user_id=ada')).toEqual(['Two'])
    expect(await list('user_id=nobody')).toEqual([])
    expect(await list('memory_type=fact')).toEqual(['Three', 'One'])
    expect(await list('min_confidence=0.8')).toEqual(['Three', 'Two'])
    const { body } = await app.get('/api/v1/memories?include_embedding=true&limit=1')
    expect(body.results[0].embedding).toBeNull()
  })

  it('goes on at a cursor, which is base64url', async () => {
    const app = await makeApp(gateway)
    await put(
      app,
      Array.from({ length: 5 }, (_, n) => ({ content: `Memory ${n}` })),
    )
    const found: string[] = []
    let cursor: string | null = null
    do {
      const { body } = await app.get(`/api/v1/memories?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`)
      found.push(...contentsOf(body.results))
      cursor = body.next_cursor
      if (cursor !== null) expect(Buffer.from(cursor, 'base64url').toString('base64url')).toBe(cursor)
    } while (cursor !== null)
    expect(found).toEqual([4, 3, 2, 1, 0].map((n) => `Memory ${n}`))
    const wrong = await app.get('/api/v1/memories?cursor=nonsense')
    expect([wrong.status, wrong.body.error]).toEqual([400, 'Invalid request payload'])
  })
})

describe('searching', () => {
  it('finds by words, within the filters', async () => {
    const app = await makeApp(gateway)
    const [tea] = await put(app, [
      {
        content: 'Prefers green tea',
        memory_type: 'preference',
        user_id: 'ada',
        agent_id: 'support',
        session_id: 's1',
      },
      { content: 'Has a green door', memory_type: 'fact', user_id: 'ada' },
      { content: 'Paints it green', memory_type: 'fact', user_id: 'bob' },
    ])
    const search = async (query: string) => (await app.get(`/api/v1/memories/search?query=green&${query}`)).body
    expect((await search('')).count).toBe(3)
    const { results, ...told } = await search('user_id=ada&memory_type=preference&mode=text')
    expect(told).toEqual({ success: true, count: 1, mode: 'text' })
    expect(results[0]).toMatchObject({ id: tea, similarity: expect.any(Number), score: expect.any(Number) })
    expect((await search('user_id=ada')).count).toBe(2)
    expect((await search('limit=1')).count).toBe(1)
    for (const filter of ['agent_id=support', 'session_id=s1']) expect(await search(filter)).toMatchObject({ count: 1 })
    for (const filter of ['agent_id=other', 'team_id=t', 'user_id=self']) expect((await search(filter)).count).toBe(0)
    for (const mode of ['hybrid', 'vector', 'graph']) expect((await search(`mode=${mode}`)).mode).toBe('hybrid')
  })
})

describe('one memory', () => {
  it('is read, changed, put away and deleted', async () => {
    const app = await makeApp(gateway)
    const [id] = await put(app, [{ content: 'Lives in Lisbon', user_id: 'ada', metadata: { a: 1 } }])
    const path = `/api/v1/memories/${id}`
    expect((await app.get(path)).body).toMatchObject({ success: true, memory: { id, content: 'Lives in Lisbon' } })
    const changes = { content: 'Lives in Porto', memory_type: 'fact', confidence: 0.4, metadata: { b: 2 }, other: 1 }
    const { status, body } = await app.send('PATCH', path, changes)
    expect([status, body.success]).toEqual([200, true])
    const { other: _other, ...changed } = changes
    expect(body.memory).toMatchObject({ ...changed, end_user_id: 'ada' })
    expect(Date.parse(body.memory.updated_at)).toBeGreaterThan(Date.parse(body.memory.created_at))
    expect((await app.send('DELETE', path)).body).toEqual({ success: true, deleted_count: 1, hard_delete: false })
    expect((await app.get(path)).status).toBe(404)
    expect((await app.send('PATCH', path, changes)).status).toBe(404)
    expect((await app.send('DELETE', path)).status).toBe(404)
    const hard = await app.send('DELETE', `${path}?hard=true`)
    expect(hard.body).toEqual({ success: true, deleted_count: 1, hard_delete: true })
    expect((await app.send('DELETE', `${path}?hard=true`)).status).toBe(404)
  })

  it('keeps what a change leaves out', async () => {
    const app = await makeApp(gateway)
    const [id] = await put(app, [
      { content: 'Lives in Lisbon', memory_type: 'goal', confidence: 0.25, metadata: { a: 1 } },
    ])
    const { body } = await app.send('PATCH', `/api/v1/memories/${id}`, { confidence: 0.75, content: null })
    const kept = { content: 'Lives in Lisbon', memory_type: 'goal', confidence: 0.75, metadata: { a: 1 } }
    expect(body.memory).toMatchObject(kept)
  })

  it("is nobody else's", async () => {
    const [app, other] = [await makeApp(gateway), await makeApp(gateway)]
    const [id] = await put(app, [{ content: 'A secret' }])
    for (const target of [id, 'e32754fa-9b24-4c3e-b8f1-2a1c9d3e4f56', 'no-uuid']) {
      for (const [method, body] of [['GET'], ['PATCH', { content: 'x' }], ['DELETE']] as const) {
        const answer = await other.send(method, `/api/v1/memories/${target}`, body)
        expect([answer.status, answer.body]).toEqual([404, { error: 'Memory not found' }])
      }
    }
    const batch = await other.send('DELETE', '/api/v1/memories/batch', { memory_ids: [id], hard: true })
    expect(batch.body).toEqual({ success: true, deleted_count: 0, hard_delete: true })
    expect((await app.get(`/api/v1/memories/${id}`)).status).toBe(200)
  })
})

describe('deleting several', () => {
  it('counts those that were there', async () => {
    const app = await makeApp(gateway)
    const [one, two, three] = await put(app, [{ content: 'One' }, { content: 'Two' }, { content: 'Three' }])
    const remove = async (body: object) => (await app.send('DELETE', '/api/v1/memories/batch', body)).body
    const ids = [one, one, 'unknown', 'e32754fa-9b24-4c3e-b8f1-2a1c9d3e4f56']
    expect(await remove({ memory_ids: ids })).toEqual({ success: true, deleted_count: 1, hard_delete: false })
    expect(await remove({ memory_ids: [one, two], hard: true })).toMatchObject({ deleted_count: 2, hard_delete: true })
    expect((await app.get('/api/v1/memories')).body.results).toMatchObject([{ id: three }])
  })
})

describe('agents', () => {
  const add = (app: TestApp, content: string, fields: object) =>
    app.post('/api/v1/memories/agents', { messages: [{ role: 'user', content }], ...fields })

  it('store memories under their id, or else their name', async () => {
    const app = await makeApp(gateway)
    const { status, body } = await add(app, 'I love TypeScript', { agent_name: 'Support', agent_type: 'support' })
    expect([status, body]).toEqual([
      200,
      {
        success: true,
        memories_created: 1,
        memory_ids: [expect.any(String)],
        owner_id: app.accountId,
        user_id: null,
        agent_id: 'Support',
        project_id: 'default',
      },
    ])
    const { body: read } = await app.get(`/api/v1/memories/${body.memory_ids[0]}`)
    expect(read.memory).toMatchObject({
      agent_id: 'Support',
      metadata: { agent_name: 'Support', agent_type: 'support' },
    })
    expect((await add(app, 'I love Rust', {})).status).toBe(400)
  })

  it('see their own memories, their teams’ and those of the project', async () => {
    const app = await makeApp(gateway)
    await put(app, [
      { content: 'Own', agent_id: 'a', team_id: 't' },
      { content: 'Of the team', agent_id: 'b', team_id: 't' },
      { content: 'Of another team', agent_id: 'b', team_id: 'u' },
      { content: 'Of another agent', agent_id: 'b' },
      { content: 'Of nobody' },
    ])
    const list = async (query: string) => {
      const { body } = await app.get(`/api/v1/memories/agents?agent_id=a&${query}`)
      expect([body.success, body.count]).toEqual([true, body.data.length])
      return contentsOf(body.data)
    }
    expect(await list('')).toEqual(['Of nobody', 'Of the team', 'Own'])
    expect(await list('include_team=false')).toEqual(['Of nobody', 'Own'])
    expect(await list('include_project=false')).toEqual(['Of the team', 'Own'])
    expect(await list('include_team=false&include_project=false')).toEqual(['Own'])
    expect((await app.get('/api/v1/memories/agents')).body.details.fieldErrors).toEqual({ agent_id: ['Required'] })
  })
})

describe('import and export', () => {
  it('carry memories over to another project, with all they say', async () => {
    const [from, to] = [await makeApp(gateway), await makeApp(gateway)]
    await put(from, [
      { content: 'One, "quoted"\nline', user_id: 'ada', memory_type: 'goal', confidence: 0.3, metadata: { a: [1] } },
      { content: 'Two', created_at: '2024-11-15T10:30:00Z', agent_id: 'x' },
    ])
    const { body: exported } = await from.post('/api/v1/memories/export', { format: 'json' })
    expect(exported).toMatchObject({ success: true, format: 'json', count: 2, next_cursor: null })
    expect(contentsOf(exported.memories)).toEqual(['Two', 'One, "quoted"\nline'])
    const { body } = await to.post('/api/v1/memories/import', { memories: exported.memories })
    expect(body).toMatchObject({ success: true, imported: 2, failed: 0, total: 2 })
    const { body: again } = await to.post('/api/v1/memories/export', {})
    const same = ({ id: _id, owner_clerk_id: _owner, updated_at: _at, ...rest }: Record<string, unknown>) => rest
    expect(again.memories.map(same)).toEqual(exported.memories.map(same))
    const csv = await from.post('/api/v1/memories/export', { format: 'csv', user_id: 'ada' })
    const [names, ...rows] = csv.body.data.split('\r\n')
    expect(names).toBe('id,end_user_id,content,memory_type,confidence,metadata,source_type,created_at,updated_at')
    expect(rows.join('')).toContain(',ada,"One, ""quoted""\nline",goal,0.3,"{""a"":[1]}",text,')
  })

  it('import all or none', async () => {
    const app = await makeApp(gateway)
    const memories = [{ content: 'Fine' }, { content: 'Wrong', confidence: 2 }]
    const { status, body } = await app.post('/api/v1/memories/import', { memories })
    expect([status, Object.keys(body.details.fieldErrors)]).toEqual([400, ['memories']])
    const future = await app.post('/api/v1/memories/import', {
      memories: [{ content: 'Not yet', created_at: '2999-01-01T00:00:00Z' }],
    })
    expect(future.status).toBe(400)
    expect((await app.get('/api/v1/memories')).body.count).toBe(0)
  })

  it('tells webhooks of what is imported', async () => {
    const manager = await makeManager(gateway)
    const { id } = await manager.webhook('https://webhooks.invalid/hook', ['memory.created'])
    const app = new TestApp(gateway.url, manager.key, manager.accountId)
    await put(app, [{ content: 'One', user_id: 'ada' }, { content: 'Two' }])
    const { status, body } = await manager.get(`/org/webhooks/${id}/deliveries`)
    expect(status, JSON.stringify(body)).toBe(200)
    const events = body.deliveries.map((one: { event_type: string }) => one.event_type)
    expect(events).toEqual(['memory.created', 'memory.created'])
  })

  it('export in several answers, one going on where the other ended', async () => {
    const app = await makeApp(gateway)
    const long = 'x'.repeat(95_000)
    for (let part = 0; part < 6; part++) {
      await put(
        app,
        Array.from({ length: 18 }, (_, n) => ({ content: `${part * 18 + n} ${long}` })),
      )
    }
    const first = (await app.post('/api/v1/memories/export', {})).body
    expect([first.count, typeof first.next_cursor]).toEqual([100, 'string'])
    const second = (await app.post('/api/v1/memories/export', { cursor: first.next_cursor })).body
    expect([second.count, second.next_cursor]).toEqual([8, null])
    expect(second.memories[0].content.startsWith('100 ')).toBe(true)
  })
})

describe('upkeep', () => {
  it('finds patterns in the latest memories, and stores an insight of each once', async () => {
    const app = await makeApp(gateway)
    await put(
      app,
      ['Lisbon', 'Porto', 'Faro'].map((place) => ({ content: `Wants a quiet hotel room in ${place}` })),
    )
    const reflect = async (body: object) => (await app.post('/api/v1/memories/reflect', body)).body
    expect(await reflect({ dryRun: true })).toMatchObject({
      success: true,
      patterns_detected: 1,
      insights_generated: 0,
    })
    expect((await app.get('/api/v1/memories')).body.count).toBe(3)
    const done = await reflect({ timeWindowDays: 7, analysisDepth: 'deep' })
    expect(done).toMatchObject({ success: true, mode: 'sync', patterns_detected: 1, insights_generated: 1 })
    expect(done.patterns[0].memory_ids).toHaveLength(3)
    expect((await app.get('/api/v1/memories')).body.count).toBe(4)
    expect((await reflect({})).insights_generated).toBe(0)
    expect((await reflect({ minPatternStrength: 1 })).patterns_detected).toBe(0)
  })

  it('looks back no further than its window', async () => {
    const app = await makeApp(gateway)
    const created_at = new Date(Date.now() - 8 * 86_400_000).toISOString()
    const places = ['Lisbon', 'Porto', 'Faro']
    await put(
      app,
      places.map((place) => ({ content: `Wants a quiet hotel room in ${place}`, created_at })),
    )
    const count = async (timeWindowDays: number) =>
      (await app.post('/api/v1/memories/reflect', { timeWindowDays, dryRun: true })).body.patterns_detected
    expect([await count(7), await count(9)]).toEqual([0, 1])
  })

  it('merges what says the same', async () => {
    const app = await makeApp(gateway)
    await put(app, [
      { content: 'The user prefers dark mode', confidence: 0.9 },
      { content: 'User prefers dark mode.', confidence: 0.8 },
      { content: 'The user prefers dark mode always', confidence: 0.7 },
      { content: 'User prefers dark mode.', confidence: 0.6, user_id: 'ada' },
    ])
    const consolidate = async (body: object) => (await app.post('/api/v1/memories/consolidate', body)).body
    expect(await consolidate({ dry_run: true })).toMatchObject({ duplicates_found: 1, memories_merged: 0 })
    expect(await consolidate({ check_redundancy: false, similarity_threshold: 0.1 })).toMatchObject({
      memories_merged: 1,
    })
    expect(await consolidate({ similarity_threshold: 0.8 })).toMatchObject({ success: true, memories_merged: 1 })
    expect((await app.get('/api/v1/memories')).body.count).toBe(2)
  })
})

describe('stats and graph', () => {
  it('show the project at a glance', async () => {
    const app = await makeApp(gateway)
    const [one, two] = await put(app, [{ content: 'Of nobody' }, { content: 'Of Ada', user_id: 'ada' }])
    const { body: stats } = await app.get('/api/v1/stats')
    expect(stats).toMatchObject({
      success: true,
      owner_id: app.accountId,
      plan_tier: null,
      totals: { total_memories: 2, archived_memories: 0, total_users: 2, total_api_calls: 2 },
      usage: { current_month_api_calls: 2, monthly_api_limit: null, current_month_memories_added: 2 },
      storage: { total_storage_bytes: 15, files: 0 },
    })
    const { body: graph } = await app.get('/api/v1/graph')
    expect(graph.nodes).toEqual([
      { id: app.accountId, label: 'Owner', type: 'owner', group: 1 },
      { id: 'user:ada', label: 'ada', type: 'enduser', group: 2 },
      { id: two, label: 'Of Ada', type: 'memory', group: 3, content: 'Of Ada' },
      { id: one, label: 'Of nobody', type: 'memory', group: 3, content: 'Of nobody' },
    ])
    expect(graph.links).toEqual([
      { source: app.accountId, target: 'user:ada', label: 'has_user' },
      { source: 'user:ada', target: two, label: 'has_memory' },
      { source: app.accountId, target: one, label: 'has_memory' },
    ])
  })
})
