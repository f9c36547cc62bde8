import { beforeAll, describe, expect, it } from 'vitest'
import { createUser } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { callerWith, callSync, type Json, makeSyncCaller } from '../helpers/memory-sync.ts'
import { makeAccount } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const exported = async (caller: { call: (method: string, path: string) => Promise<Json> }): Promise<Json[]> =>
  (await caller.call('GET', '/memory/export')).body.memories

describe('the headers', () => {
  it('take the key as X-API-Key or as a bearer token', async () => {
    const { apiKey, headers } = await makeSyncCaller(gateway)
    const { 'X-API-Key': _, ...others } = headers
    const answer = await callSync(gateway, 'GET', '/memory/export', undefined, {
      ...others,
      Authorization: `Bearer ${apiKey}`,
    })
    expect(answer.status).toBe(200)
  })

  it('need no project with a key that is bound to one, or its own, and no other', async () => {
    const me = await makeSyncCaller(gateway, { project_id: 'demo' })
    expect((await me.call('GET', '/memory/export', undefined, { 'X-Project-ID': '' })).status).toBe(200)
    expect((await me.call('GET', '/memory/export')).status).toBe(200)
    const other = await me.call('GET', '/memory/export', undefined, { 'X-Project-ID': 'other' })
    expect([other.status, other.body.error.code]).toEqual([403, 'FORBIDDEN'])
  })

  it.each([
    ['X-Project-ID', 'not a name'],
    ['X-End-User-ID', 'x'.repeat(300)],
    ['X-End-User-ID', 'erased:usr_1'],
  ])('name the one that is wrong: %s', async (name, value) => {
    const me = await makeSyncCaller(gateway)
    const { status, body } = await me.call('GET', '/memory/export', undefined, { [name]: value })
    expect([status, body.detail[0].loc]).toEqual([422, ['header', name]])
  })

  it('name the same end user as the body does, also beyond ASCII', async () => {
    const me = await makeSyncCaller(gateway)
    const asUtf8 = Buffer.from('zoë@example.com').toString('latin1')
    await me.as(asUtf8).add('Zoë keeps bees on the roof')
    const { status, body } = await me.call(
      'POST',
      '/memory/query',
      { query: 'bees', end_user_id: 'zoë@example.com' },
      { 'X-End-User-ID': '' },
    )
    expect([status, body.memories.length]).toEqual([200, 1])
  })

  it('count before the body where both name an end user', async () => {
    const me = await makeSyncCaller(gateway)
    await me.add('She keeps bees on the roof', { end_user_id: 'somebody-else' })
    expect(await exported(me)).toHaveLength(1)
    expect(await exported(me.as('somebody-else'))).toHaveLength(0)
  })

  it("let a user's own key act for that user, whoever else is named", async () => {
    const [ada, bob] = [await createUser(gateway.url), await createUser(gateway.url)]
    const as = (key: string) =>
      callerWith(gateway, { apiKey: key, accountId: '' }, { Authorization: `Bearer ${key}`, 'X-End-User-ID': bob.id })
    await as(ada.key).add('Ada writes programs for the engine', { end_user_id: bob.id })
    expect(await exported(as(ada.key))).toHaveLength(1)
    expect(await exported(as(bob.key))).toHaveLength(0)
    const bulk = await as(ada.key).call('POST', '/memory/bulk-add', {
      items: [{ text: 'Ada has a friend called Charles', end_user_id: bob.id }],
    })
    expect(bulk.body.created).toBe(1)
    expect(await exported(as(bob.key))).toHaveLength(0)
    const ontology = await as(ada.key).call('PUT', '/memory/ontology', { content_types: ['mine'] })
    expect(ontology.status).toBe(403)
  })

  it('repeat a write by its Idempotency-Key, once per user', async () => {
    const me = await makeSyncCaller(gateway)
    const body = { text: 'The piano is tuned in spring', deduplicate: false }
    const first = await me.call('POST', '/memory/add', body, { 'Idempotency-Key': 'k1' })
    const again = await me.call('POST', '/memory/add', body, { 'Idempotency-Key': 'k1' })
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    const bulk = { items: [{ text: 'The piano was bought in Leipzig' }], deduplicate: false }
    const key = { 'Idempotency-Key': 'k2' }
    const [one, two] = [
      await me.call('POST', '/memory/bulk-add', bulk, key),
      await me.call('POST', '/memory/bulk-add', bulk, key),
    ]
    expect(two.body).toEqual(one.body)
    expect(await exported(me)).toHaveLength(2)
    // The same key of the same account, for somebody else, is another request.
    expect((await me.as('other').call('POST', '/memory/bulk-add', bulk, key)).status).toBe(422)
    const changed = await me.call('POST', '/memory/add', { ...body, tags: ['x'] }, { 'Idempotency-Key': 'k1' })
    expect(changed.status).toBe(422)
  })
})

describe('adding', () => {
  it('takes content for text, keeps what it is given, and ignores who the body says it is', async () => {
    const me = await makeSyncCaller(gateway)
    const before = Date.now()
    const memory = await me.add('', {
      text: undefined,
      content: '  The garden faces south.  ',
      source: 'chat',
      event_type: 'message',
      tags: ['home', 'garden'],
      importance: 0.25,
      metadata: { deep: { list: [1, null, 'x'] } },
      ttl_minutes: 1,
      session_id: 'conv-1',
      user_id: 99,
      project_id: 'other',
    })
    expect(memory).toMatchObject({
      text: '  The garden faces south.  ',
      source: 'chat',
      event_type: 'message',
      tags: ['home', 'garden'],
      importance: 0.25,
      metadata: { deep: { list: [1, null, 'x'] } },
      quality_score: null,
      summary: null,
    })
    const life = Date.parse(memory.expires_at) - before
    expect(life).toBeGreaterThan(59_000)
    expect(life).toBeLessThan(70_000)
    expect(Object.keys(memory)).toEqual(
      'id user_id text summary created_at updated_at metadata tags source event_type tier importance is_summary expires_at key_points quality_score memory_type'.split(
        ' ',
      ),
    )
    expect(memory.user_id).not.toBe(99)
    expect(await exported(me)).toHaveLength(1)
  })

  it.each([
    [{}, 'missing', 'text'],
    [{ text: 'too short' }, 'string_too_short', 'text'],
    [{ text: `     nine char${' '.repeat(20)}` }, 'string_too_short', 'text'],
    [{ content: 'short' }, 'string_too_short', 'content'],
    [{ text: '🌻🌻🌻🌻🌻🌻' }, 'string_too_short', 'text'],
    [{ text: 12 }, 'string_type', 'text'],
    [{ text: 'long enough text', ttl_minutes: 0 }, 'greater_than_equal', 'ttl_minutes'],
    [{ text: 'long enough text', ttl_minutes: 1.5 }, 'int_type', 'ttl_minutes'],
    [{ text: 'long enough text', importance: 1.01 }, 'less_than_equal', 'importance'],
    [{ text: 'long enough text', importance: -0.01 }, 'greater_than_equal', 'importance'],
    [{ text: 'long enough text', metadata: [] }, 'dict_type', 'metadata'],
    [{ text: 'long enough text', deduplicate: 'yes' }, 'bool_type', 'deduplicate'],
    [{ text: 'long enough text', client_ref: 'x'.repeat(129) }, 'string_too_long', 'client_ref'],
    [{ text: 'long enough text', memory_type: 'recipe' }, 'enum', 'memory_type'],
    [{ text: 'long enough\0 text' }, 'value_error', 'text'],
  ])('refuses %j', async (body, type, field) => {
    const me = await makeSyncCaller(gateway)
    const answer = await me.call('POST', '/memory/add', body)
    expect(answer.status).toBe(422)
    expect(answer.body.detail[0]).toMatchObject({ type, loc: ['body', field], msg: expect.stringMatching(/\S/) })
    expect(await exported(me)).toHaveLength(0)
  })

  it.each([
    [{ text: '0123456789' }],
    [{ text: '  0123456789  ' }],
    [{ text: 'long enough text', importance: 0 }],
    [{ text: 'long enough text', importance: 1 }],
    [{ text: 'long enough text', client_ref: 'x'.repeat(128) }],
    [{ text: 'long enough text', tags: null, metadata: null, source: null, importance: null }],
  ])('takes %j, at its bound', async (body) => {
    const me = await makeSyncCaller(gateway)
    expect((await me.call('POST', '/memory/add', { deduplicate: false, ...body })).status).toBe(201)
  })

  it('refuses what is no JSON, and what does not say that it is', async () => {
    const me = await makeSyncCaller(gateway)
    const broken = await me.call('POST', '/memory/add', '{"text": ')
    expect([broken.status, broken.body.detail[0].type]).toEqual([422, 'json_invalid'])
    const list = await me.call('POST', '/memory/add', '[1]')
    expect([list.status, list.body.detail[0].loc]).toEqual([422, ['body']])
    const plain = await me.call('POST', '/memory/add', '{}', { 'Content-Type': 'text/plain' })
    expect([plain.status, plain.body.error.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
    const large = await me.call('POST', '/memory/add', { text: 'x'.repeat(3 * 1024 * 1024) })
    expect([large.status, large.body.error.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
  })

  it('skips what says nothing', async () => {
    const me = await makeSyncCaller(gateway)
    const { status, body } = await me.call('POST', '/memory/add', { text: 'Thank you very much!' })
    expect([status, body]).toEqual([
      200,
      {
        status: 'skipped',
        reason: 'no_high_value_content',
        memory_ids: [],
        candidates_extracted: 0,
        candidates_stored: 0,
      },
    ])
    expect(await exported(me)).toHaveLength(0)
  })

  it('skips the same again, names what is there, and stores it all the same if told to', async () => {
    const me = await makeSyncCaller(gateway)
    const { id } = await me.add('User prefers dark mode and concise responses.')
    for (const text of [
      'User prefers dark mode and concise responses.',
      'The user prefers DARK mode, and concise responses!',
    ]) {
      const { status, body } = await me.call('POST', '/memory/add', { text })
      expect([status, body]).toEqual([
        200,
        { status: 'skipped', reason: 'duplicate', memory_ids: [id], candidates_extracted: 1, candidates_stored: 0 },
      ])
    }
    await me.add('User prefers dark mode and concise responses.', { deduplicate: false })
    expect(await exported(me)).toHaveLength(2)
    // It is the user's own that counts.
    await me.as('other').add('User prefers dark mode and concise responses.')
  })

  it.each([
    ['User likes strong coffee', 'User does not like strong coffee'],
    ["Ada is Bob's older sister", "Bob is Ada's older sister"],
    ['The rent of the flat is 500 euros', 'The rent of the flat is 600 euros'],
    ['The user prefers dark mode', 'The user prefers light mode'],
  ])('keeps both: %s / %s', async (one, other) => {
    const me = await makeSyncCaller(gateway)
    await me.add(one)
    await me.add(other)
    expect(await exported(me)).toHaveLength(2)
  })

  it('stores one of many that say the same at the same time', async () => {
    const me = await makeSyncCaller(gateway)
    const text = 'The alarm goes off at half past six'
    const answers = await Promise.all(Array.from({ length: 8 }, () => me.call('POST', '/memory/add', { text })))
    const counts = [200, 201].map((wanted) => answers.filter(({ status }) => status === wanted).length)
    expect(counts).toEqual([7, 1])
  })

  it('knows what was sent under a client_ref, whatever it says', async () => {
    const me = await makeSyncCaller(gateway)
    const { id } = await me.add('The boiler was serviced in May', { client_ref: 'row-1', deduplicate: false })
    const { status, body } = await me.call('POST', '/memory/add', {
      text: 'The boiler was serviced in June',
      client_ref: 'row-1',
      deduplicate: false,
    })
    expect([status, body.reason, body.memory_ids]).toEqual([200, 'already_ingested', [id]])
    await me.as('other').add('The boiler was serviced in May', { client_ref: 'row-1' })
  })
})

describe('adding many', () => {
  it('says of each what became of it, and writes for the user that it names', async () => {
    const me = await makeSyncCaller(gateway)
    const { id } = await me.add('The boiler was serviced in May', { client_ref: 'row-1' })
    const { status, body } = await me.call('POST', '/memory/bulk-add', {
      items: [
        { text: 'Her sister is called Emily', tags: ['family'] },
        { text: 'her sister is called Emily.' },
        { text: 'short' },
        { text: 'Thank you very much!' },
        { text: 'The other one lives in Rome', end_user_id: 'other' },
        'no object',
        { text: 'The boiler was serviced in June', client_ref: 'row-1' },
        { text: 'Risotto with saffron', memory_type: 'recipe' },
      ],
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({ total: 8, created: 2, skipped: 3, rejected: 3 })
    expect(body.results.map((one: Json) => [one.index, one.status, one.reason])).toEqual([
      [0, 'created', null],
      [1, 'skipped', 'duplicate'],
      [2, 'rejected', expect.stringContaining('10')],
      [3, 'skipped', 'no_high_value_content'],
      [4, 'created', null],
      [5, 'rejected', expect.stringMatching(/object/)],
      [6, 'skipped', 'already_ingested'],
      [7, 'rejected', expect.stringContaining('recipe')],
    ])
    expect(body.results[1].memory_ids).toEqual(body.results[0].memory_ids)
    expect(body.results[6].memory_ids).toEqual([id])
    expect(await exported(me)).toHaveLength(2)
    expect((await exported(me.as('other'))).map(({ text }) => text)).toEqual(['The other one lives in Rome'])
  })

  it('needs an end user for each, of the item or of the request', async () => {
    const me = await makeSyncCaller(gateway)
    const items = [
      { text: 'Her sister is called Emily', end_user_id: 'one' },
      { text: 'His sister is called Charlotte', end_user_id: 'two' },
    ]
    const named = await me.call('POST', '/memory/bulk-add', { items }, { 'X-End-User-ID': '' })
    expect([named.status, named.body.created]).toEqual([200, 2])
    const more = [...items, { text: 'Whose sister is called Anne?' }]
    const unnamed = await me.call('POST', '/memory/bulk-add', { items: more }, { 'X-End-User-ID': '' })
    expect([unnamed.status, unnamed.body.error.code]).toEqual([400, 'MISSING_END_USER_ID'])
  })

  it.each([
    [0, 422],
    [1, 200],
    [50, 200],
    [51, 422],
  ])('takes 1 to 50: %i gets %i', async (count, status) => {
    const me = await makeSyncCaller(gateway)
    const items = Array.from({ length: count }, (_, index) => ({ text: `Memory number ${index} of a long list` }))
    const answer = await me.call('POST', '/memory/bulk-add', { items })
    expect(answer.status).toBe(status)
    if (status === 200) expect(answer.body.created).toBe(count)
  })
})

describe('what the page shows', () => {
  it('is answered as the page says, header by header and byte by byte', async () => {
    const { apiKey } = await makeAccount(gateway)
    const headers = {
      'X-API-Key': apiKey,
      'X-Project-ID': 'demo',
      'X-End-User-ID': 'demo-user-001',
      'Content-Type': 'application/json',
    }
    const added = await callSync(
      gateway,
      'POST',
      '/memory/add',
      `{
"text": "User prefers dark mode and concise responses.",
"source": "chat",
"metadata": {"conversation_id": "conv-123"},
"deduplicate": true
}`,
      headers,
    )
    expect(added.status).toBe(201)
    expect(added.body).toMatchObject({
      text: 'User prefers dark mode and concise responses.',
      source: 'chat',
      metadata: { conversation_id: 'conv-123' },
    })
    const found = await callSync(
      gateway,
      'POST',
      '/memory/query',
      `{
"query": "What response style does this user prefer?",
"k": 5
}`,
      headers,
    )
    expect(found.status).toBe(200)
    expect(found.body.memories[0]).toMatchObject({ id: added.body.id, score: expect.any(Number) })
  })
})
