import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { observationRecords } from '../../src/db/schema/observation-records.ts'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { eraseUser } from '../../src/domain/erasure/erase-user.ts'
import { issueKey } from '../../src/domain/secret-key.ts'
import { call, createUser, picture, type TestUser } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { makeAccount, systemContextOf, type TestAccount } from '../helpers/service.ts'
import { askThreads, nativeContext, resourceContext, said, say } from '../helpers/thread-client.ts'

let gateway: TestGateway
let account: TestAccount
let native: TestUser
beforeAll(async () => {
  gateway = await sharedGateway()
  account = await makeAccount(gateway)
  native = await createUser(gateway.url)
})

const someId = () => `thread ${randomBytes(6).toString('hex')}`
const someone = () => `user-${randomBytes(6).toString('hex')}`
const at = (id: string, rest = '') => `/${encodeURIComponent(id)}${rest}`
const app = (key = account.apiKey) => ({ base: gateway.url, key })
const NOT_FOUND = { error: { message: 'There is no such thread.', type: 'not_found' } }
const INVALID = { error: { type: 'invalid_request_error', message: expect.stringMatching(/\S/) } }

/** A thread, made by the API. */
async function make(fields: Record<string, unknown> = {}, sender = app()) {
  const answer = await askThreads(sender, 'POST', '', { id: someId(), resourceId: someone(), ...fields })
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body.thread
}

describe('a thread', () => {
  it('is made with what is given, and read again', async () => {
    const fields = { id: someId(), resourceId: someone(), title: 'Trip', metadata: { tags: ['a'] } }
    const thread = await make(fields)
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/)
    expect(thread).toEqual({ ...fields, createdAt: time, updatedAt: time })
    const { status, body } = await askThreads(app(), 'GET', at(thread.id))
    expect([status, body]).toEqual([200, { thread }])
    expect((await askThreads(app(), 'GET', `${at(thread.id)}/`)).body).toEqual({ thread })
  })

  it('gets an id, and its resource may be named by the header', async () => {
    const resourceId = 'Ådâ@example.com'
    const header = { 'x-resource-id': Buffer.from(resourceId).toString('latin1') }
    const { status, body } = await askThreads(app(), 'POST', '', {}, header)
    expect([status, body.thread.resourceId, body.thread.title]).toEqual([201, resourceId, null])
    expect(body.thread.id).toMatch(/^[\w-]{36}$/)
  })

  it('is not made without a resource, with another than the header names, or twice', async () => {
    const { id, resourceId } = await make()
    expect((await askThreads(app(), 'POST', '', { id: someId() })).body.error.message).toMatch(/^resourceId is needed/)
    const two = await askThreads(app(), 'POST', '', { resourceId: 'a' }, { 'x-resource-id': 'b' })
    expect([two.status, two.body]).toMatchObject([400, INVALID])
    const again = await askThreads(app(), 'POST', '', { id, resourceId })
    expect([again.status, again.body.error.type]).toEqual([409, 'invalid_request_error'])
  })

  it('is refused where its fields cannot be', async () => {
    const bad = [
      { id: '..' },
      { id: 'x'.repeat(257) },
      { resourceId: 'a\0b' },
      { title: 7 },
      { metadata: 'text' },
      { metadata: { a: '\ud800' } },
    ]
    for (const fields of bad) {
      const { status, body } = await askThreads(app(), 'POST', '', { resourceId: someone(), ...fields })
      expect([fields, status, body]).toMatchObject([fields, 400, INVALID])
      expect(body.error.message).toContain(Object.keys(fields)[0])
    }
    const text = '{"resourceId": "SECRET'
    const headers = { authorization: `Bearer ${account.apiKey}` }
    const broken = await call(`${gateway.url}/v1/memory/threads`, { method: 'POST', headers, body: text })
    expect([broken.status, broken.body]).toEqual([
      400,
      { error: { type: 'invalid_request_error', message: 'The body is not valid JSON.' } },
    ])
  })

  it('is changed in what is given, and stays with its resource', async () => {
    const thread = await make({ title: 'Old', metadata: { a: 1, b: 2 } })
    const changed = await askThreads(app(), 'PATCH', at(thread.id), { title: 'New', metadata: { b: 3 } })
    expect(changed.status).toBe(200)
    expect(changed.body.thread).toMatchObject({
      ...thread,
      title: 'New',
      metadata: { a: 1, b: 3 },
      updatedAt: expect.any(String),
    })
    const same = { resourceId: thread.resourceId }
    expect((await askThreads(app(), 'PATCH', at(thread.id), same)).body.thread.title).toBe('New')
    const moved = await askThreads(app(), 'PATCH', at(thread.id), { resourceId: someone() })
    expect([moved.status, moved.body]).toMatchObject([400, INVALID])
    expect(moved.body.error.message).toMatch(/^resourceId cannot be changed/)
  })

  it('is deleted with what was said in it, and its id is free again', async () => {
    const thread = await make()
    const ctx = await resourceContext(gateway, account.apiKey, thread.resourceId)
    await say(ctx, thread.id, [said('user', 'My name is Alex.')], said('assistant', 'Hello Alex.'))
    const gone = await askThreads(app(), 'DELETE', at(thread.id))
    expect([gone.status, gone.body]).toEqual([200, { ok: true }])
    for (const rest of ['', '/messages', '/observations', '/observations/record', '/observations/history']) {
      const { status, body } = await askThreads(app(), 'GET', at(thread.id, rest))
      expect([rest, status, body]).toEqual([rest, 404, NOT_FOUND])
    }
    const remade = await make({ id: thread.id })
    expect((await askThreads(app(), 'GET', at(remade.id, '/messages'))).body).toEqual({ messages: [], total: 0 })
  })

  it('has metadata that do not grow without end', async () => {
    const thread = await make()
    const answers: number[] = []
    for (const name of ['a', 'b', 'c']) {
      const body = { metadata: { [name]: 'x'.repeat(500_000) } }
      answers.push((await askThreads(app(), 'PATCH', at(thread.id), body)).status)
    }
    expect(answers).toEqual([200, 200, 400])
    const { body } = await askThreads(app(), 'PATCH', at(thread.id), { metadata: { a: null, c: 1 } })
    expect(Object.keys(body.thread.metadata).toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('is one of the list of its resource, the last changed first, in pages', async () => {
    const resourceId = someone()
    const [first, second, third] = [await make({ resourceId }), await make({ resourceId }), await make({ resourceId })]
    await askThreads(app(), 'PATCH', at(first.id), { title: 'Newest' })
    const list = async (query: string) => (await askThreads(app(), 'GET', query)).body
    const named = `?resourceId=${resourceId}`
    const idsOf = (body: { threads: { id: string }[]; total: number }) => [body.total, body.threads.map(({ id }) => id)]
    expect(idsOf(await list(named))).toEqual([3, [first.id, third.id, second.id]])
    expect(idsOf(await list(`${named}&limit=1&offset=1`))).toEqual([3, [third.id]])
    const byHeader = await askThreads(app(), 'GET', '', undefined, { 'x-resource-id': resourceId })
    expect(byHeader.body).toEqual(await list(named))
    expect(await list(`?resourceId=${someone()}`)).toEqual({ threads: [], total: 0 })
    const whole = await list('?limit=200')
    expect(whole.threads.map(({ id }: { id: string }) => id)).toContain(second.id)
    for (const query of ['?limit=201', '?limit=0', '?limit=x', '?offset=-1', '?resourceId=']) {
      const { status, body } = await askThreads(app(), 'GET', query)
      expect([query, status, body]).toMatchObject([query, 400, INVALID])
    }
  })

  it('is written once for an Idempotency-Key', async () => {
    const key = { 'idempotency-key': randomBytes(6).toString('hex') }
    const body = { resourceId: someone(), title: 'Once' }
    const first = await askThreads(app(), 'POST', '', body, key)
    const again = await askThreads(app(), 'POST', '', body, key)
    expect([again.status, again.body]).toEqual([201, first.body])
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    for (const [method, rest, fields] of [
      ['PATCH', '', { title: 'Twice' }],
      ['POST', '/clone', {}],
      ['DELETE', '', undefined],
    ] as const) {
      const path = at(first.body.thread.id, rest)
      const once = await askThreads(app(), method, path, fields, key)
      expect(once.status, JSON.stringify(once.body)).toBeLessThan(300)
      const repeated = await askThreads(app(), method, path, fields, key)
      expect([repeated.status, repeated.body]).toEqual([once.status, once.body])
    }
  })
})

describe('an answer that speaks of a thread', () => {
  const once = () => ({ 'idempotency-key': randomBytes(6).toString('hex') })
  const title = 'The garden'

  it.each([false, true])('is not given again when the thread is deleted (with messages: %s)', async (isTalkedIn) => {
    const thread = await make()
    const ctx = await resourceContext(gateway, account.apiKey, thread.resourceId)
    if (isTalkedIn) await say(ctx, thread.id, [said('user', 'Hello')])
    const key = once()
    expect((await askThreads(app(), 'PATCH', at(thread.id), { title }, key)).body.thread.title).toBe(title)
    await askThreads(app(), 'DELETE', at(thread.id))
    const late = await askThreads(app(), 'PATCH', at(thread.id), { title }, key)
    expect([late.status, JSON.stringify(late.body).includes(title)]).toEqual([404, false])
  })

  it('is not given again when its resource is erased; nor is the thread there', async () => {
    const thread = await make()
    const key = once()
    await askThreads(app(), 'PATCH', at(thread.id), { title }, key)
    const user = { accountId: account.accountId, projectId: 'default', kind: 'end_user' as const }
    await eraseUser(systemContextOf(gateway), { ...user, externalId: thread.resourceId })
    const late = await askThreads(app(), 'PATCH', at(thread.id), { title }, key)
    expect([late.status, JSON.stringify(late.body).includes(title)]).toEqual([404, false])
    expect((await askThreads(app(), 'GET', at(thread.id))).status).toBe(404)
    const list = await askThreads(app(), 'GET', '?limit=200')
    expect(JSON.stringify(list.body)).not.toContain(thread.id)
    expect((await make({ id: thread.id, resourceId: thread.resourceId })).title).toBeNull()
  })
})

describe('what was said', () => {
  it('is listed as the clients of the framework read it, with files that the key downloads', async () => {
    const thread = await make()
    const ctx = await resourceContext(gateway, account.apiKey, thread.resourceId)
    const base64 = Buffer.from(picture).toString('base64')
    const image = { type: 'file', kind: 'image', base64, mimeType: 'image/png', name: 'cat.png' } as const
    const call1 = { id: 'call_1', name: 'weather', arguments: '{"city":"Oslo"}' }
    await say(ctx, thread.id, [{ role: 'user', parts: [{ type: 'text', text: 'What is this?' }, image] }], {
      ...said('assistant', ''),
      parts: [],
      toolCalls: [call1],
    })
    await say(
      ctx,
      thread.id,
      [{ ...said('tool', 'rain'), toolCallId: 'call_1' }],
      said('assistant', 'A cat, and rain.'),
    )
    const { status, body } = await askThreads(app(), 'GET', at(thread.id, '/messages'))
    expect([status, body.total]).toEqual([200, 4])
    const common = {
      threadId: thread.id,
      resourceId: thread.resourceId,
      id: expect.any(String),
      createdAt: expect.any(String),
    }
    const [asked, called, answered, told] = body.messages
    expect(asked).toMatchObject({ ...common, role: 'user', type: 'text' })
    expect(asked.content[0]).toMatchObject({ type: 'text', text: expect.stringContaining('What is this?') })
    expect(asked.content[1]).toMatchObject({ type: 'image', mimeType: 'image/png', size: picture.byteLength })
    expect(called).toMatchObject({ ...common, role: 'assistant', type: 'tool-call' })
    expect(called.content).toEqual([
      { type: 'tool-call', toolCallId: 'call_1', toolName: 'weather', args: { city: 'Oslo' } },
    ])
    expect(called.metadata).toEqual({ model: 'test/model', finish_reason: 'stop' })
    expect(answered).toMatchObject({ ...common, role: 'tool', type: 'tool-result' })
    expect(answered.content).toEqual([{ type: 'tool-result', toolCallId: 'call_1', result: 'rain' }])
    expect(told).toMatchObject({ ...common, role: 'assistant', type: 'text', content: 'A cat, and rain.' })
    const url = gateway.url + asked.content[1].image
    const file = await fetch(url, { headers: { 'x-api-key': account.apiKey } })
    expect(Buffer.from(await file.arrayBuffer()).equals(Buffer.from(picture))).toBe(true)
    const other = await make()
    const elsewhere = asked.content[1].image.replace(encodeURIComponent(thread.id), encodeURIComponent(other.id))
    const strangers: [string, Record<string, string>][] = [
      [elsewhere, { 'x-api-key': account.apiKey }],
      [asked.content[1].image, { 'x-api-key': account.apiKey, 'x-resource-id': other.resourceId }],
      [asked.content[1].image, { 'x-api-key': (await makeAccount(gateway)).apiKey }],
      [asked.content[1].image, { authorization: `Bearer ${native.key}` }],
      [`${asked.content[1].image}%00`, { 'x-api-key': account.apiKey }],
    ]
    for (const [path, headers] of strangers) expect((await call(gateway.url + path, { headers })).status).toBe(404)
  })

  it('comes in pages, in either order', async () => {
    const thread = await make()
    const ctx = await resourceContext(gateway, account.apiKey, thread.resourceId)
    for (const n of [1, 2]) await say(ctx, thread.id, [said('user', `Q${n}`)], said('assistant', `A${n}`))
    const read = async (query: string) => {
      const { body } = await askThreads(app(), 'GET', at(thread.id, `/messages${query}`))
      return [body.total, body.messages.map(({ content }: { content: string }) => content)]
    }
    expect(await read('')).toEqual([4, ['Q1', 'A1', 'Q2', 'A2']])
    expect(await read('?order=desc&limit=2')).toEqual([4, ['A2', 'Q2']])
    expect(await read('?order=ASC&limit=2&offset=1')).toEqual([4, ['A1', 'Q2']])
    for (const query of ['?order=up', '?limit=201', '?offset=x']) {
      const { status, body } = await askThreads(app(), 'GET', at(thread.id, `/messages${query}`))
      expect([status, body]).toMatchObject([400, INVALID])
    }
  })

  it('is cloned into a thread of the same resource', async () => {
    const source = await make({ title: 'Trip', metadata: { a: 1 } })
    const ctx = await resourceContext(gateway, account.apiKey, source.resourceId)
    for (const n of [1, 2]) await say(ctx, source.id, [said('user', `Q${n}`)], said('assistant', `A${n}`))
    const newThreadId = someId()
    const { status, body } = await askThreads(app(), 'POST', at(source.id, '/clone'), {
      newThreadId,
      title: 'Branch',
      options: { messageLimit: 2 },
    })
    expect(status, JSON.stringify(body)).toBe(201)
    expect(body.thread).toMatchObject({ id: newThreadId, resourceId: source.resourceId, title: 'Branch' })
    expect(body.clonedMessages.map(({ content }: { content: string }) => content)).toEqual(['Q2', 'A2'])
    expect(body.clonedMessages[0].threadId).toBe(newThreadId)
    const plain = await askThreads(app(), 'POST', at(source.id, '/clone'))
    expect([plain.status, plain.body.clonedMessages.length]).toEqual([201, 4])
    const moved = await askThreads(app(), 'POST', at(source.id, '/clone'), { resourceId: someone() })
    expect([moved.status, moved.body]).toMatchObject([400, INVALID])
    const taken = await askThreads(app(), 'POST', at(source.id, '/clone'), { newThreadId })
    expect(taken.status).toBe(409)
  })
})

describe('what was observed', () => {
  it('is nothing at first', async () => {
    const { id } = await make()
    const read = async (rest: string) => (await askThreads(app(), 'GET', at(id, `/observations${rest}`))).body
    expect(await read('')).toEqual({ observations: null })
    expect(await read('/record')).toEqual({ record: null })
    expect(await read('/history')).toEqual({ records: [] })
    const days = '?from=2026-01-01&to=2026-12-31T23:59:59Z&limit=200&offset=1'
    expect(await read(`/history${days}`)).toEqual({ records: [] })
    for (const query of ['?from=yesterday', '?to=0000-01-01', '?limit=201']) {
      const { status, body } = await askThreads(app(), 'GET', at(id, `/observations/history${query}`))
      expect([query, status, body]).toMatchObject([query, 400, INVALID])
    }
  })
})

describe('a record of observations', () => {
  it('is shown by the names of the framework, with those before it as history', async () => {
    const thread = await make()
    const ctx = await resourceContext(gateway, account.apiKey, thread.resourceId)
    const { id: threadId, userId } = await say(ctx, thread.id, [said('user', 'My name is Alex.')])
    const common = { userId, threadId, observedThrough: Date.now(), observationTokens: 12, totalTokensObserved: 99 }
    const chunk = { observations: '* chunk', tokens: 3, messageTokens: 30, through: 1, at: Date.UTC(2026, 4, 1) }
    await gateway.services.db.insert(observationRecords).values([
      { ...common, id: `obs_${threadId}_1`, generation: 0, origin: 'initial', observations: '* first' },
      {
        ...common,
        id: `obs_${threadId}_2`,
        generation: 1,
        origin: 'reflection',
        observations: '* User is Alex',
        buffered: [chunk],
        lastObservedAt: new Date(Date.UTC(2026, 4, 2)),
      },
    ])
    const read = async (rest: string) => (await askThreads(app(), 'GET', at(thread.id, `/observations${rest}`))).body
    expect(await read('')).toEqual({ observations: '* User is Alex' })
    const { record } = await read('/record')
    expect(record).toMatchObject({
      scope: 'thread',
      threadId: thread.id,
      resourceId: thread.resourceId,
      originType: 'reflection',
      generationCount: 1,
      activeObservations: '* User is Alex',
      observationTokenCount: 12,
      totalTokensObserved: 99,
      lastObservedAt: '2026-05-02T00:00:00.000Z',
      isObserving: false,
      isBufferingReflection: false,
      config: { observation: { messageTokens: 30_000 }, reflection: { observationTokens: 40_000 } },
    })
    expect(record.bufferedObservationChunks).toEqual([
      { observations: '* chunk', tokenCount: 3, messageTokens: 30, lastObservedAt: '2026-05-01T00:00:00.000Z' },
    ])
    expect(JSON.stringify(record)).not.toContain(userId)
    const { records } = await read('/history')
    expect(records.map(({ generationCount }: { generationCount: number }) => generationCount)).toEqual([1, 0])
    expect((await read('/history?limit=1&offset=1')).records).toMatchObject([{ activeObservations: '* first' }])
    expect(await read('/history?to=2020-01-01')).toEqual({ records: [] })
  })
})

describe('a key', () => {
  it('may come in each of three headers; a provider key beside it is none of ours', async () => {
    const { id } = await make()
    const read = (headers: Record<string, string>) => call(`${gateway.url}/v1/memory/threads${at(id)}`, { headers })
    const { apiKey } = account
    const shown = [
      { authorization: `Bearer ${apiKey}` },
      { 'x-api-key': apiKey },
      { 'x-memory-gateway-authorization': `Bearer ${apiKey}` },
      { 'x-memory-gateway-authorization': `Bearer ${apiKey}`, authorization: 'Bearer sk-provider' },
      { 'x-api-key': apiKey, authorization: 'Bearer sk-provider' },
    ]
    for (const headers of shown) expect((await read(headers)).status).toBe(200)
    const wrong: Record<string, string>[] = [
      {},
      { authorization: 'Bearer sk-provider' },
      { 'x-api-key': issueKey('mgk_live_').secret },
      { authorization: `Bearer ${issueKey('uk_').secret}` },
      // The first header counts, also where it has no key that is valid.
      { 'x-memory-gateway-authorization': 'Bearer nothing', authorization: `Bearer ${apiKey}` },
      { 'x-memory-gateway-authorization': apiKey, 'x-api-key': apiKey },
    ]
    for (const headers of wrong) {
      const answer = await read(headers)
      expect([answer.status, answer.body.error.type]).toEqual([401, 'authentication_error'])
      expect(answer.headers.get('x-ratelimit-limit')).toBeNull()
    }
  })

  it('reaches the threads of its own project alone', async () => {
    const thread = await make({ title: 'SECRET' })
    const ctx = systemContextOf(gateway)
    const other = await makeAccount(gateway)
    const elsewhere = await createApiKey(ctx, account.accountId, { name: 'x', project_id: 'other' })
    const strangers = [
      app(other.apiKey),
      app(elsewhere.secret),
      app(native.key),
      { ...app(), headers: { 'x-project-id': 'other' } },
    ]
    for (const stranger of strangers) {
      for (const [method, rest, body] of [
        ['GET', ''],
        ['PATCH', '', { title: 'Mine' }],
        ['DELETE', ''],
        ['POST', '/clone', {}],
        ['GET', '/messages'],
        ['GET', '/observations'],
        ['GET', '/observations/record'],
        ['GET', '/observations/history'],
      ] as const) {
        const answer = await askThreads(stranger, method, at(thread.id, rest), body)
        expect([method, rest, answer.status, answer.body]).toEqual([method, rest, 404, NOT_FOUND])
      }
      const list = await askThreads(stranger, 'GET', '?limit=200')
      expect(JSON.stringify(list.body)).not.toContain('SECRET')
    }
    // The id is theirs to use.
    for (const stranger of [app(other.apiKey), app(elsewhere.secret)]) {
      expect((await make({ id: thread.id }, stranger)).title).toBeNull()
    }
    expect((await askThreads(app(), 'GET', at(thread.id))).body).toEqual({ thread })
    const bound = await askThreads({ ...app(elsewhere.secret), headers: { 'x-project-id': 'demo' } }, 'GET')
    expect([bound.status, bound.body.error.type]).toEqual([403, 'permission_error'])
  })

  it('that names a resource reaches the threads of that resource alone', async () => {
    const thread = await make()
    const other = await make()
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? {} : undefined
      for (const resource of [other.resourceId, someone()]) {
        const named = { 'x-resource-id': resource }
        const byHeader = await askThreads(app(), method, at(thread.id), body, named)
        const byQuery = await askThreads(app(), method, `${at(thread.id)}?resourceId=${resource}`, body)
        expect([byHeader.status, byHeader.body, byQuery.status]).toEqual([404, NOT_FOUND, 404])
      }
    }
    const own = { 'x-resource-id': thread.resourceId }
    expect((await askThreads(app(), 'GET', at(thread.id), undefined, own)).status).toBe(200)
    const both = await askThreads(app(), 'GET', `${at(thread.id)}?resourceId=x`, undefined, own)
    expect([both.status, both.body]).toMatchObject([400, INVALID])
  })

  it('does what its scopes allow', async () => {
    const { id } = await make()
    const ctx = systemContextOf(gateway)
    const reads = await createApiKey(ctx, account.accountId, { name: 'x', scopes: ['read'] })
    const writes = await createApiKey(ctx, account.accountId, { name: 'x', scopes: ['write'] })
    expect((await askThreads(app(reads.secret), 'GET', at(id))).status).toBe(200)
    expect((await askThreads(app(writes.secret), 'PATCH', at(id), {})).status).toBe(200)
    const lesser = [
      await askThreads(app(reads.secret), 'PATCH', at(id), {}),
      await askThreads(app(reads.secret), 'POST', '', { resourceId: 'a' }),
      await askThreads(app(reads.secret), 'DELETE', at(id)),
      await askThreads(app(writes.secret), 'GET', at(id)),
    ]
    for (const answer of lesser) {
      expect([answer.status, answer.body.error.type]).toEqual([403, 'permission_error'])
      expect(answer.headers.get('x-ratelimit-scope')).toMatch(/^memory_/)
    }
  })

  it("of a native user's own reaches their threads, under their own name", async () => {
    const mine = app(native.key)
    const { body } = await askThreads(mine, 'POST', '', { id: someId(), title: 'Mine' })
    expect(body.thread.resourceId).toBe(native.id)
    await say(await nativeContext(gateway, native.id), body.thread.id, [said('user', 'Hello')])
    expect((await askThreads(mine, 'GET')).body.total).toBe(1)
    expect((await askThreads(mine, 'GET', at(body.thread.id, '/messages'))).body.messages[0].content).toBe('Hello')
    expect((await askThreads(mine, 'GET', `?resourceId=${native.id}`)).body.total).toBe(1)
    expect((await askThreads(mine, 'GET', '?resourceId=somebody')).body).toEqual({ threads: [], total: 0 })
    const foreign = await askThreads(mine, 'POST', '', { resourceId: 'somebody' })
    expect([foreign.status, foreign.body]).toEqual([404, NOT_FOUND])
    const another = await createUser(gateway.url)
    expect((await askThreads(app(another.key), 'GET', at(body.thread.id))).body).toEqual(NOT_FOUND)
    const application = await createApiKey(systemContextOf(gateway), 'default', { name: 'x' })
    expect((await askThreads(app(application.secret), 'GET', at(body.thread.id))).status).toBe(404)
    expect((await askThreads(mine, 'DELETE', at(body.thread.id))).body).toEqual({ ok: true })
  })
})

it('says of a path or method that it does not have that there is no such route', async () => {
  for (const [method, path] of [
    ['PUT', ''],
    ['POST', '/x'],
    ['GET', '/x/y'],
    ['GET', '/x/observations/y'],
  ] as const) {
    const { status, body } = await askThreads(app(), method, path, method === 'GET' ? undefined : {})
    expect([method, path, status, body]).toEqual([
      method,
      path,
      404,
      { error: { type: 'not_found', message: 'There is no such route.' } },
    ])
  }
})
