import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eraseUser } from '../../src/domain/erasure/erase-user.ts'
import { deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import { userScope } from '../../src/domain/memories/memory-scope.ts'
import { type Answer, call, createUser } from '../helpers/client.ts'
import {
  type DialectOwner,
  makeDialectOwner,
  type NamedMemory,
  namedMemory,
  wordless,
} from '../helpers/dialect-owner.ts'
import { guardedRoutes, type Sender, sendDialect } from '../helpers/dialect-routes.ts'
import { serveEcho } from '../helpers/echo-model.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { endUserContext, makeAccount, systemContextOf } from '../helpers/service.ts'

let gateway: TestGateway
let base: string
let close: () => Promise<void>
beforeAll(async () => {
  gateway = await sharedGateway()
  const served = await serveEcho(gateway)
  base = served.url
  close = served.close
})
afterAll(() => close())

const NAME = 'ada@example.com'
const once = (key = wordless()) => ({ 'idempotency-key': key })
const isReplay = ({ headers }: Answer) => headers.get('idempotent-replayed') === 'true'

function bearer(
  owner: Pick<DialectOwner, 'projectKey'>,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  return call(base + path, {
    method,
    headers: {
      authorization: `Bearer ${owner.projectKey}`,
      'x-end-user-id': NAME,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** Writes, with a body that anybody may send as it is. */
const writes: Readonly<Record<string, [method: string, path: string, body?: object]>> = {
  layer: ['POST', '/v1/memory/', { content: 'The dog is called Bruno', external_user_id: NAME }],
  'layer chat': ['POST', '/v1/chat/', { message: 'I own the dog Bruno', external_user_id: NAME }],
  'layer summaries': ['POST', '/v1/memory/summarize', {}],
  'layer keys': ['POST', '/v1/keys/', { name: 'the same name' }],
  stack: ['POST', '/api/v1/memories', { messages: [{ role: 'user', content: 'I love the dog Bruno' }], user_id: NAME }],
  'stack import': [
    'POST',
    '/api/v1/memories/import',
    { memories: [{ content: 'The dog Bruno is old', user_id: NAME }] },
  ],
  sync: ['POST', '/memory/add', { text: 'The dog is called Bruno since ever', deduplicate: false }],
  'sync bulk': [
    'POST',
    '/memory/bulk-add',
    { items: [{ text: 'The cat is called Mia since ever' }], deduplicate: false },
  ],
  'sync turn': ['POST', '/v1/memory/add_turn', { tenant_id: 'acme', user_id: NAME, text: 'I own the boat Nemo' }],
  'sync history': [
    'POST',
    '/v1/history/append',
    {
      tenant_id: 'acme',
      user_id: NAME,
      session_id: 's',
      turns: [{ role: 'user', content: 'The turn' }],
      extract: false,
    },
  ],
  'sync state': [
    'POST',
    '/v1/state/put',
    { tenant_id: 'acme', user_id: NAME, namespace: ['n'], key: 'k', value: { a: 1 } },
  ],
  'mastra thread': ['POST', '/v1/memory/threads', { resourceId: NAME, title: 'The trip' }],
  'sync webhook': [
    'POST',
    '/org/webhooks',
    { name: 'hook', url: 'https://hooks.example.com/', events: ['memory.created'] },
  ],
}

describe('a write', () => {
  let one: DialectOwner
  let others: DialectOwner[]
  beforeAll(async () => {
    one = await makeDialectOwner(gateway, base)
    const account = { accountId: one.accountId, apiKey: one.apiKey }
    others = [
      await makeDialectOwner(gateway, base),
      await makeDialectOwner(gateway, base, { account, project: 'other' }),
    ]
  })

  it.each(Object.entries(writes))('(%s) is done once, and equal keys of others are others', async (_name, write) => {
    const [method, path, body] = write
    const key = wordless()
    const first = await bearer(one, method, path, body, once(key))
    expect(first.status, JSON.stringify(first.body)).toBeLessThan(300)
    expect(isReplay(first)).toBe(false)
    for (const other of others) {
      const answer = await bearer(other, method, path, body, once(key))
      expect([answer.status, isReplay(answer)]).toEqual([first.status, false])
      const ids = JSON.stringify(answer.body).match(/"(id|memory_ids|api_key|secret)":("[^"]*"|\d+|\[[^\]]+\])/g) ?? []
      for (const id of ids) expect(JSON.stringify(first.body)).not.toContain(id)
    }
    const again = await bearer(one, method, path, body, once(key))
    expect([again.status, again.body, isReplay(again)]).toEqual([first.status, first.body, true])
  })
})

it('one key serves all dialects and routes of a user, each by itself', async () => {
  const owner = await makeDialectOwner(gateway, base)
  const key = wordless()
  for (const [name, [method, path, body]] of Object.entries(writes)) {
    const answer = await bearer(owner, method, path, body, once(key))
    expect([name, answer.status < 300, isReplay(answer)]).toEqual([name, true, false])
  }
})

it('two end users of one application, and a native user of the same name, do not share keys', async () => {
  const owner = await makeDialectOwner(gateway, base)
  const native = await createUser(base)
  const key = wordless()
  const add = (headers: Record<string, string>) =>
    call(`${base}/memory/add`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...once(key), ...headers },
      body: JSON.stringify({ text: 'The heron stands in the reeds' }),
    })
  const asApp = (endUser: string) => add({ 'x-api-key': owner.projectKey, 'x-end-user-id': endUser })
  const asNative = () => add({ authorization: `Bearer ${native.key}`, 'x-project-id': 'demo' })
  const answers = [await asApp(native.id), await asApp('bob'), await asNative()]
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(3)
  expect((await asApp('bob')).body).toEqual(answers[1]!.body)
})

it('a key that works in one project is not given what one of the whole account was', async () => {
  const owner = await makeDialectOwner(gateway, base, { project: 'default' })
  const asked = { name: 'the same name' }
  const key = once()
  const post = (secret: string, path: string, body: object, more: Record<string, string> = {}) =>
    call(base + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json', ...key, ...more },
      body: JSON.stringify(body),
    })
  const wide = await post(owner.apiKey, '/v1/keys', asked)
  const narrow = await post(owner.projectKey, '/v1/keys', asked)
  expect([wide.status, narrow.status, isReplay(narrow)]).toEqual([201, 201, false])
  expect(narrow.body.api_key).not.toBe(wide.body.api_key)
  const hook = { name: 'hook', url: 'https://hooks.example.com/', events: ['memory.created'] }
  const ofAll = await post(owner.apiKey, '/org/webhooks', hook)
  const ofOne = await post(owner.apiKey, '/org/webhooks', hook, { 'x-project-id': 'default' })
  // The same key with another request: not the answer to the first.
  expect([ofAll.status, ofAll.body.project_id, ofOne.status]).toEqual([201, null, 422])
  expect(JSON.stringify(ofOne.body)).not.toContain(ofAll.body.secret)
})

describe('an answer that speaks of what is deleted since', () => {
  const pairs = [
    'The garden of the mill in Sintra is full of roses and bees',
    'The garden of the mill in Sintra is full of roses and birds',
    'The garden of the mill in Sintra is full of roses and cats',
  ]

  async function withMemories() {
    const { accountId, apiKey } = await makeAccount(gateway, { scopes: ['admin'], project_id: 'demo' })
    const sender = { projectKey: apiKey }
    const added: NamedMemory[] = []
    for (const text of pairs) {
      const { status, body } = await bearer(sender, 'POST', '/memory/add', { text, deduplicate: false })
      if (status !== 201) throw new Error(JSON.stringify(body))
      added.push(await namedMemory(gateway, body.id))
    }
    const [memory, spare] = added as [NamedMemory, NamedMemory]
    const owner = { ...sender, accountId, ids: { memory, spare } }
    const ctx = await endUserContext(gateway, owner.projectKey, NAME)
    const all = async () => (await bearer(owner, 'GET', '/api/v1/memories?limit=100')).body.results as { id: string }[]
    const deleteAll = async () => {
      const gone = (await all()).map(({ id }) => id)
      await deleteMemories(ctx, userScope(ctx, ctx.caller.userId), gone)
    }
    return { owner, deleteAll }
  }

  type Rememberer = Awaited<ReturnType<typeof withMemories>>['owner']
  const speaking: Readonly<Record<string, (owner: Rememberer) => [method: string, path: string, body?: object]>> = {
    'a memory (Memory Layer)': () => ['POST', '/v1/memory/', { content: 'The roses are red', external_user_id: NAME }],
    'a chat': () => ['POST', '/v1/chat/', { message: 'What of the garden in Sintra?', external_user_id: NAME }],
    'a chat of the older kind': () => [
      'POST',
      '/v1/chat/legacy',
      { message: 'What of the garden in Sintra?', external_user_id: NAME },
    ],
    summaries: () => ['POST', '/v1/memory/summarize'],
    maintenance: () => ['POST', '/v1/memory/maintenance/summarization'],
    'a changed memory (MemoryStack)': ({ ids }) => [
      'PATCH',
      `/api/v1/memories/${ids.memory.id}`,
      { content: 'The keeper of the garden keeps bees' },
    ],
    reflection: () => ['POST', '/api/v1/memories/reflect', { minPatternStrength: 0.3 }],
    'a memory (MemorySync)': () => ['POST', '/memory/add', { text: 'The roses of the garden are red' }],
    'a changed memory (MemorySync)': ({ ids }) => ['PATCH', `/memory/${ids.memory.number}`, { tags: ['garden'] }],
    'a summary (MemorySync)': ({ ids }) => [
      'POST',
      '/memory/summarize',
      { memory_ids: [ids.memory.number, ids.spare.number], lossless: true },
    ],
    'a relation': ({ ids }) => [
      'POST',
      `/memory/${ids.memory.number}/relations`,
      { to_memory_id: ids.spare.number, relationship_type: 'supports', metadata: { note: 'the garden' } },
    ],
  }

  it.each(Object.entries(speaking))('is gone: %s', async (_name, make) => {
    const { owner, deleteAll } = await withMemories()
    const [method, path, body] = make(owner)
    const key = once()
    const first = await bearer(owner, method, path, body, key)
    expect(first.status, JSON.stringify(first.body)).toBeLessThan(300)
    expect(JSON.stringify(first.body)).toMatch(/garden|roses/)
    const again = await bearer(owner, method, path, body, key)
    expect([again.body, isReplay(again)]).toEqual([first.body, true])
    await deleteAll()
    const late = await bearer(owner, method, path, body, key)
    expect(late.status, JSON.stringify(late.body)).toBe(404)
    expect(JSON.stringify(late.body)).not.toMatch(/garden|roses/)
  })

  it('is gone with the user', async () => {
    const { owner } = await withMemories()
    const [key, user] = [once(), { accountId: owner.accountId, projectId: 'demo', kind: 'end_user' as const }]
    const path = '/v1/memory/summarize'
    const first = await bearer(owner, 'POST', path, undefined, key)
    expect(JSON.stringify(first.body)).toMatch(/garden/)
    await eraseUser(systemContextOf(gateway), { ...user, externalId: NAME })
    const late = await bearer(owner, 'POST', path, undefined, key)
    expect([late.status, JSON.stringify(late.body).includes('garden')]).toEqual([404, false])
  })

  it("stays when another application's memories go", async () => {
    const [one, two] = [await withMemories(), await withMemories()]
    const key = once()
    const first = await bearer(one.owner, 'POST', '/v1/memory/summarize', undefined, key)
    await two.deleteAll()
    expect((await bearer(one.owner, 'POST', '/v1/memory/summarize', undefined, key)).body).toEqual(first.body)
  })
})

/** Of these two requests at once, one has the effect. */
it.each(['POST /v1/memory', 'POST /api/v1/memories/import', 'POST /memory/add', 'POST /v1/history/append'])(
  '%s, sent twice at once, has one effect',
  async (route) => {
    const owner = await makeDialectOwner(gateway, base)
    const { request } = guardedRoutes[route]!
    const { path, body } = request(owner.ids)
    const key = once()
    const answers = await Promise.all([1, 2, 3].map(() => bearer(owner, 'POST', path, body, key)))
    for (const { status } of answers) expect([200, 201, 409]).toContain(status)
    const done = answers.filter(({ status }) => status < 300)
    expect(done.length).toBeGreaterThan(0)
    expect(done.filter((answer) => !isReplay(answer))).toHaveLength(1)
    expect(new Set(done.map((answer) => JSON.stringify(answer.body))).size).toBe(1)
  },
)

it('refuses the key with another request', async () => {
  const owner = await makeDialectOwner(gateway, base)
  const sender: Sender = { key: owner.projectKey, endUser: NAME, headers: once() }
  const first = await sendDialect(base, 'POST /memory/add', owner.ids, sender)
  const other = await sendDialect(base, 'POST /memory/add', owner.ids, sender)
  expect([first.status, other.status]).toEqual([201, 422])
})
