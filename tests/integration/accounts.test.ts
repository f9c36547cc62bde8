import { randomBytes } from 'node:crypto'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiKeys } from '../../src/db/schema/api-keys.ts'
import { auditLog } from '../../src/db/schema/audit-log.ts'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { listApiKeys } from '../../src/domain/accounts/list-api-keys.ts'
import { revokeApiKey } from '../../src/domain/accounts/revoke-api-key.ts'
import { rotateApiKey } from '../../src/domain/accounts/rotate-api-key.ts'
import { listMemories } from '../../src/domain/memories/list-memories.ts'
import { projectScope, userScope } from '../../src/domain/memories/memory-scope.ts'
import { searchMemories } from '../../src/domain/memories/search-memories.ts'
import { storeMemories } from '../../src/domain/memories/store-memories.ts'
import { getUsage } from '../../src/domain/usage/get-usage.ts'
import { meter } from '../../src/domain/usage/meter.ts'
import { type Answer, call, createUser, until } from '../helpers/client.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type ApiDocument, readApiDocument } from '../helpers/openapi-check.ts'
import { endUserContext, makeAccount, serviceContextOf, systemContextOf } from '../helpers/service.ts'

const adminKey = 'the-operators-own-key'
let gateway: TestGateway
let api: ApiDocument
beforeAll(async () => {
  gateway = await startGateway({ GATEWAY_ADMIN_KEY: adminKey, PLANS_FILE: 'docs/plans.example.json' })
  api = await readApiDocument(gateway.url)
})
afterAll(() => gateway?.close())

/** Asks as the operator, and checks the answer against the document. */
async function ask(
  route: string,
  path: string,
  body?: object,
  headers: Record<string, string> = { authorization: `Bearer ${adminKey}` },
): Promise<Answer> {
  const answer = await call(gateway.url + path, {
    method: route.split(' ')[0] ?? 'GET',
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  api.check(route, answer)
  return answer
}

async function newAccount(input: object = {}): Promise<string> {
  const name = `app ${randomBytes(6).toString('hex')}`
  const { body } = await ask('POST /admin/accounts', '/admin/accounts', { name, ...input })
  return body.account_id
}

const accountPath = (id: string) => `/admin/accounts/${id}`
const keysPath = (id: string) => `${accountPath(id)}/keys`
const newKey = async (id: string, input: object = {}) =>
  (await ask('POST /admin/accounts/{account_id}/keys', keysPath(id), { name: 'a key', ...input })).body
const listKeys = async (id: string) => (await ask('GET /admin/accounts/{account_id}/keys', keysPath(id))).body.keys
const rotate = (id: string, key: string, body?: object) =>
  ask('POST /admin/accounts/{account_id}/keys/{key_id}/rotate', `${keysPath(id)}/${key}/rotate`, body)
const revoke = (id: string, key: string) =>
  ask('DELETE /admin/accounts/{account_id}/keys/{key_id}', `${keysPath(id)}/${key}`)

describe('an account', () => {
  it('is made, read, listed by its name, and changed', async () => {
    const name = `Ünïcode ${randomBytes(6).toString('hex')}`
    const made = await ask('POST /admin/accounts', '/admin/accounts', { name, plan: 'free' })
    expect(made.status).toBe(201)
    expect(made.body).toEqual({
      account_id: expect.stringMatching(/^acc_\w{24}$/),
      name,
      plan: 'free',
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    const { account_id: id } = made.body
    const route = 'GET /admin/accounts/{account_id}'
    expect((await ask(route, accountPath(id))).body).toEqual(made.body)
    const byName = await ask('GET /admin/accounts', `/admin/accounts?name=${encodeURIComponent(name)}`)
    expect(byName.body).toEqual({ accounts: [made.body], next_cursor: null })
    const change = (body: object) => ask('PATCH /admin/accounts/{account_id}', accountPath(id), body)
    expect((await change({ plan: null })).body).toEqual({ ...made.body, plan: null })
    expect((await change({ name: 'Another', plan: 'pro' })).body).toEqual({
      ...made.body,
      name: 'Another',
      plan: 'pro',
    })
    expect((await ask(route, accountPath(id))).body).toMatchObject({ name: 'Another', plan: 'pro' })
  })

  it('is in one page of the list, newest first, however short the pages are', async () => {
    const made = [await newAccount(), await newAccount(), await newAccount()]
    const seen: string[] = []
    for (let cursor = ''; ; ) {
      const { body } = await ask('GET /admin/accounts', `/admin/accounts?limit=2${cursor}`)
      seen.push(...body.accounts.map(({ account_id }: { account_id: string }) => account_id))
      if (body.next_cursor === null) break
      cursor = `&cursor=${body.next_cursor}`
    }
    expect(seen.filter((id) => made.includes(id))).toEqual(made.toReversed())
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.at(-1)).toBe('default')
  })

  it('may have the name of another', async () => {
    const [one, other] = [await newAccount({ name: 'Twin' }), await newAccount({ name: 'Twin' })]
    const { body } = await ask('GET /admin/accounts', '/admin/accounts?name=Twin')
    expect(body.accounts.map(({ account_id }: { account_id: string }) => account_id)).toEqual([other, one])
  })

  it('is not put under a plan that is not configured', async () => {
    const refused = [
      await ask('POST /admin/accounts', '/admin/accounts', { name: 'x', plan: 'gold' }),
      await ask('PATCH /admin/accounts/{account_id}', accountPath(await newAccount()), { plan: 'gold' }),
      await ask('POST /admin/accounts/{account_id}/keys', keysPath(await newAccount()), { name: 'x', plan: 'gold' }),
    ]
    for (const { status, body } of refused) {
      expect(status).toBe(422)
      expect(body.error).toMatchObject({
        message: 'plan: there is no plan "gold". Configured are: free, starter, pro, enterprise.',
        details: { plans: ['free', 'starter', 'pro', 'enterprise'] },
      })
    }
  })

  it.each([
    {},
    { name: '' },
    { name: ' ' },
    { name: 'a\0' },
    { name: 'x'.repeat(129) },
    { name: 1 },
    { name: 'x', id: 'y' },
  ])('is not made of %j', async (body) => {
    expect(await ask('POST /admin/accounts', '/admin/accounts', body)).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_request' } },
    })
  })

  it('is made once, however often it is asked for with one Idempotency-Key', async () => {
    const headers = { authorization: `Bearer ${adminKey}`, 'idempotency-key': randomBytes(8).toString('hex') }
    const make = () => ask('POST /admin/accounts', '/admin/accounts', { name: 'Once' }, headers)
    const [first, again] = [await make(), await make()]
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
  })
})

describe('a service key', () => {
  it('is shown once, and then only by its first characters', async () => {
    const id = await newAccount()
    const expires = '2999-01-01T00:00:00.000Z'
    const settings = { project_id: 'shop', scopes: ['read'], plan: 'starter', expires_at: expires }
    const made = await newKey(id, { name: 'Production', ...settings })
    expect(made).toEqual({
      key_id: expect.stringMatching(/^key_\w{24}$/),
      number: expect.any(Number),
      api_key: expect.stringMatching(/^mgk_live_/),
      name: 'Production',
      prefix: made.api_key.slice(0, 16),
      created_at: expect.any(String),
      ...settings,
    })
    const { api_key: secret, ...shown } = made
    expect(await listKeys(id)).toEqual([{ ...shown, last_used_at: null, revoked_at: null }])
    expect(JSON.stringify(await listKeys(id))).not.toContain(secret)
    const [row] = await gateway.services.db.select().from(apiKeys).where(eq(apiKeys.id, made.key_id))
    expect(JSON.stringify(row)).not.toContain(secret)
    const ctx = await serviceContextOf(gateway, secret)
    expect(ctx.service).toMatchObject({ accountId: id, projectId: 'shop', keyPlan: 'starter', isProjectLocked: true })
    expect((await listKeys(id))[0].last_used_at).toEqual(expect.any(String))
  })

  it('reads and writes anywhere, for ever, if nothing else is said', async () => {
    expect(await newKey(await newAccount())).toMatchObject({
      project_id: null,
      scopes: ['read', 'write'],
      plan: null,
      expires_at: null,
    })
  })

  it('that is revoked opens nothing from then on', async () => {
    const id = await newAccount()
    const { key_id: key, api_key: secret } = await newKey(id)
    await serviceContextOf(gateway, secret)
    expect((await revoke(id, key)).status).toBe(204)
    await expect(serviceContextOf(gateway, secret)).rejects.toMatchObject({ code: 'unauthenticated' })
    expect((await listKeys(id))[0].revoked_at).toEqual(expect.any(String))
    expect((await revoke(id, key)).status).toBe(404)
    expect((await rotate(id, key, {})).status).toBe(404)
    const audit = await gateway.services.db.select().from(auditLog).where(eq(auditLog.target, key))
    expect(audit.map(({ action, keyId }) => [action, keyId])).toEqual([
      ['api_key.create', 'admin'],
      ['api_key.revoke', 'admin'],
    ])
  })

  it('that is rotated gives its settings to a new one, and ends', async () => {
    const id = await newAccount()
    const settings = {
      name: 'P',
      project_id: 'shop',
      scopes: ['read'],
      plan: 'pro',
      expires_at: '2999-01-01T00:00:00.000Z',
    }
    const old = await newKey(id, settings)
    const made = await rotate(id, old.key_id)
    expect(made).toMatchObject({ status: 201, body: { ...settings, replaces: old.key_id } })
    expect(made.body.api_key).not.toBe(old.api_key)
    expect((await serviceContextOf(gateway, made.body.api_key)).service.accountId).toBe(id)
    await expect(serviceContextOf(gateway, old.api_key)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  it('that is rotated with a grace lives on until that is over, and not longer than it would have', async () => {
    const id = await newAccount()
    const [old, brief] = [
      await newKey(id),
      await newKey(id, { expires_at: new Date(Date.now() + 60_000).toISOString() }),
    ]
    const before = Date.now()
    await rotate(id, old.key_id, { grace_seconds: 3_600 })
    await rotate(id, brief.key_id, { grace_seconds: 3_600 })
    await serviceContextOf(gateway, old.api_key)
    const keys = (await listKeys(id)) as { key_id: string; expires_at: string; revoked_at: string | null }[]
    const shown = keys.find(({ key_id }) => key_id === old.key_id)!
    expect(shown.revoked_at).toBeNull()
    expect(Date.parse(shown.expires_at) - before).toBeGreaterThan(3_595_000)
    expect(Date.parse(shown.expires_at) - before).toBeLessThan(3_660_000)
    expect(keys.find(({ key_id }) => key_id === brief.key_id)!.expires_at).toBe(brief.expires_at)
    await gateway.services.db
      .update(apiKeys)
      .set({ expiresAt: new Date(Date.now() - 1) })
      .where(eq(apiKeys.id, old.key_id))
    await expect(serviceContextOf(gateway, old.api_key)).rejects.toMatchObject({ code: 'unauthenticated' })
    expect((await rotate(id, old.key_id, {})).status).toBe(409)
  })

  it.each([
    { name: 'x', scopes: [] },
    { name: 'x', scopes: ['delete'] },
    { name: 'x', expires_at: 'tomorrow' },
    { name: 'x', expires_at: '2020-01-01T00:00:00Z' },
    { name: 'x', project_id: 'a/b' },
    {},
  ])('is not made of %j', async (body) => {
    const route = 'POST /admin/accounts/{account_id}/keys'
    expect(await ask(route, keysPath('default'), body)).toMatchObject({ status: 422 })
  })
})

describe('an unknown id', () => {
  const routes: [string, (account: string, key: string) => string, object?][] = [
    ['GET /admin/accounts/{account_id}', (account) => accountPath(account)],
    ['PATCH /admin/accounts/{account_id}', (account) => accountPath(account), { name: 'x' }],
    ['GET /admin/accounts/{account_id}/usage', (account) => `${accountPath(account)}/usage`],
    ['GET /admin/accounts/{account_id}/users', (account) => `${accountPath(account)}/users`],
    ['DELETE /admin/accounts/{account_id}/users', (account) => `${accountPath(account)}/users?user_id=ada`],
    ['POST /admin/accounts/{account_id}/keys', (account) => keysPath(account), { name: 'x' }],
    ['GET /admin/accounts/{account_id}/keys', (account) => keysPath(account)],
    ['DELETE /admin/accounts/{account_id}/keys/{key_id}', (account, key) => `${keysPath(account)}/${key}`],
    [
      'POST /admin/accounts/{account_id}/keys/{key_id}/rotate',
      (account, key) => `${keysPath(account)}/${key}/rotate`,
      {},
    ],
  ]
  it.each(routes)('is not found: %s', async (route, path, body) => {
    const nobody = `acc_${randomBytes(12).toString('hex')}`
    expect((await ask(route, path(nobody, 'key_x'), body)).status).toBe(404)
  })

  it.each(routes.slice(-2))('of a key is not found in another account: %s', async (route, path, body) => {
    const { key_id: key, api_key: secret } = await newKey(await newAccount())
    expect((await ask(route, path(await newAccount(), key), body)).status).toBe(404)
    await serviceContextOf(gateway, secret)
  })

  it.each(routes)(
    'or a known one, is nothing for a service key, even one with the scope admin: %s',
    async (route, path, body) => {
      const { accountId, apiKey } = await makeAccount(gateway, { scopes: ['admin'] })
      for (const headers of [{}, { authorization: `Bearer ${apiKey}` }, { authorization: 'Bearer wrong' }]) {
        expect(await ask(route, path(accountId, 'key_x'), body, headers)).toMatchObject({
          status: 401,
          body: { error: { code: 'unauthenticated' } },
        })
      }
    },
  )
})

describe('usage', () => {
  const usage = async (id: string, query = '') =>
    ask('GET /admin/accounts/{account_id}/usage', `${accountPath(id)}/usage${query}`)

  it('is told by day and key, for the month, and against the plan', async () => {
    const id = await newAccount({ plan: 'free' })
    const [one, other] = [await newKey(id), await newKey(id)]
    const ctx = await endUserContext(gateway, one.api_key, 'ada')
    await storeMemories(ctx, [{ memory: { content: 'Lives in Lisbon' } }])
    await meter(ctx, { requests: 2, searches: 3, adds: 1 })
    await meter(await serviceContextOf(gateway, other.api_key), { requests: 1, tokens: 500 })
    const { status, body } = await usage(id)
    expect(status).toBe(200)
    const today = new Date().toISOString().slice(0, 10)
    const days = [
      { date: today, key_id: one.key_id, requests: 2, adds: 1, searches: 3, tokens: 0 },
      { date: today, key_id: other.key_id, requests: 1, adds: 0, searches: 0, tokens: 500 },
    ]
    expect(body).toMatchObject({
      account_id: id,
      plan: 'free',
      from: `${today.slice(0, 8)}01`,
      to: today,
      days: days.toSorted((a, b) => (a.key_id < b.key_id ? -1 : 1)),
      month: { requests: 3, adds: 1, searches: 3, tokens: 500 },
      memories: 1,
      next_cursor: null,
    })
    const limits = body.limits as { metric: string }[]
    expect(limits.find(({ metric }) => metric === 'searches')).toMatchObject({
      period: 'day',
      limit: 100,
      used: 3,
      remaining: 97,
    })
    expect(limits.find(({ metric }) => metric === 'tokens')).toMatchObject({ limit: 100_000, remaining: 99_500 })
    expect(limits.find(({ metric }) => metric === 'memories')).toEqual({
      metric: 'memories',
      period: null,
      limit: 1_000,
      used: 1,
      remaining: 999,
      reset_at: null,
    })
  })

  it('has the days that are asked for, in pages', async () => {
    const id = await newAccount()
    const ctx = await serviceContextOf(gateway, (await newKey(id)).api_key)
    for (const day of ['2031-05-01', '2031-05-02', '2031-05-03', '2031-05-04']) {
      await meter(ctx, { requests: 1 }, new Date(`${day}T23:59:59.999Z`))
    }
    const dates = (body: { days: { date: string }[] }) => body.days.map(({ date }) => date)
    const { body: first } = await usage(id, '?from=2031-05-02&to=2031-05-04&limit=2')
    expect(dates(first)).toEqual(['2031-05-02', '2031-05-03'])
    const { body: rest } = await usage(id, `?from=2031-05-02&to=2031-05-04&limit=2&cursor=${first.next_cursor}`)
    expect(dates(rest)).toEqual(['2031-05-04'])
    expect(rest.next_cursor).toBeNull()
  })

  it.each(['?from=2031-05-02&to=2031-05-01', '?from=yesterday', '?to=2031-02-30', '?cursor=x', '?limit=0', '?day=1'])(
    'is not told for %s',
    async (query) => {
      expect((await usage('default', query)).status).toBe(422)
    },
  )
})

describe('end users', () => {
  const list = async (id: string, query = '') =>
    (await ask('GET /admin/accounts/{account_id}/users', `${accountPath(id)}/users${query}`)).body
  const erase = (id: string, query: string) =>
    ask('DELETE /admin/accounts/{account_id}/users', `${accountPath(id)}/users?${query}`)
  const remember = async (apiKey: string, user: string | undefined, project: string, content: string) => {
    const ctx = await endUserContext(gateway, apiKey, user, project)
    await storeMemories(ctx, [{ memory: { content } }])
    return ctx
  }

  it('are listed with their projects and how much they remember', async () => {
    const { accountId, apiKey } = await makeAccount(gateway)
    await remember(apiKey, 'ada@example.com', 'one', 'Lives in Lisbon')
    await remember(apiKey, 'ada@example.com', 'one', 'Plays chess')
    await remember(apiKey, 'ada@example.com', 'two', 'Lives in Porto')
    await remember(apiKey, undefined, 'two', 'Nobody in particular')
    const { users, next_cursor } = await list(accountId)
    expect(users).toEqual([
      { project_id: 'two', user_id: null, memory_count: 1, created_at: expect.any(String) },
      { project_id: 'two', user_id: 'ada@example.com', memory_count: 1, created_at: expect.any(String) },
      { project_id: 'one', user_id: 'ada@example.com', memory_count: 2, created_at: expect.any(String) },
    ])
    expect(next_cursor).toBeNull()
    const page = await list(accountId, '?limit=2')
    expect((await list(accountId, `?limit=2&cursor=${page.next_cursor}`)).users).toEqual(users.slice(2))
    expect((await list(accountId, '?project_id=one')).users).toEqual(users.slice(2))
  })

  it('that are erased are out of sight at once, and nobody else with them', async () => {
    const { accountId, apiKey } = await makeAccount(gateway)
    const ada = await remember(apiKey, 'ada', 'one', 'Ada keeps bees')
    const others = [
      await remember(apiKey, 'bob', 'one', 'Bob keeps bees'),
      await remember(apiKey, 'ada', 'two', 'The other Ada keeps bees'),
      await remember((await makeAccount(gateway)).apiKey, 'ada', 'one', 'A foreign Ada keeps bees'),
    ]
    const native = await createUser(gateway.url, `ada_${randomBytes(4).toString('hex')}`, {
      authorization: `Bearer ${adminKey}`,
    })
    const erased = await erase(accountId, 'project_id=one&user_id=ada')
    expect(erased).toMatchObject({
      status: 202,
      body: { erasure_id: expect.stringMatching(/^era_/), status: 'processing' },
    })
    expect(erased.headers.get('location')).toBe(`/erasures/${erased.body.erasure_id}`)
    const page = { limit: 10, order: 'desc' as const }
    for (const ctx of [await serviceContextOf(gateway, apiKey, 'one'), others[0]!]) {
      const { items } = await listMemories(ctx, projectScope(ctx), {}, page)
      expect(items.map(({ content }) => content)).toEqual(['Bob keeps bees'])
      const { found } = await searchMemories(ctx, projectScope(ctx), { query: 'bees', limit: 10 })
      expect(found.map(({ memory }) => memory.content)).toEqual(['Bob keeps bees'])
    }
    await expect(storeMemories(ada, [{ memory: { content: 'Too late' } }])).rejects.toThrow()
    expect((await erase(accountId, 'project_id=one&user_id=ada')).status).toBe(404)
    expect((await list(accountId, '?project_id=one')).users).toHaveLength(1)
    const receipt = await until(
      async () => (await call(`${gateway.url}/erasures/${erased.body.erasure_id}`)).body,
      ({ status }) => status === 'done',
    )
    expect(receipt).toMatchObject({ kind: 'user', requested_by: 'admin', sessions: 1, messages: 1 })
    for (const ctx of others) {
      expect((await listMemories(ctx, userScope(ctx, ctx.caller.userId), {}, page)).items).toHaveLength(1)
    }
    expect((await native.get('/sessions')).status).toBe(200)
    const again = await endUserContext(gateway, apiKey, 'ada', 'one')
    expect(again.caller.userId).not.toBe(ada.caller.userId)
    expect((await listMemories(again, userScope(again, again.caller.userId), {}, page)).items).toEqual([])
  })

  it('are erased one by one under one Idempotency-Key, never another in the place of the first', async () => {
    const { accountId, apiKey } = await makeAccount(gateway)
    for (const user of ['one', 'two']) await remember(apiKey, user, 'default', `I am ${user}`)
    const headers = { authorization: `Bearer ${adminKey}`, 'idempotency-key': randomBytes(8).toString('hex') }
    const eraseOnce = (user: string) =>
      ask(
        'DELETE /admin/accounts/{account_id}/users',
        `${accountPath(accountId)}/users?user_id=${user}`,
        undefined,
        headers,
      )
    const first = await eraseOnce('one')
    expect((await eraseOnce('one')).body).toEqual(first.body)
    expect((await eraseOnce('two')).status).toBe(422)
  })

  it('need a name to be erased', async () => {
    expect((await erase('default', 'project_id=one')).status).toBe(422)
    expect((await erase('default', 'user_id=')).status).toBe(422)
  })
})

describe('a key with the scope admin, at the verbs', () => {
  it("manages its own account's keys, and no other's", async () => {
    const { accountId, apiKey } = await makeAccount(gateway, { scopes: ['admin'] })
    const ctx = await serviceContextOf(gateway, apiKey)
    const { id, secret } = await createApiKey(ctx, accountId, { name: 'Second' })
    expect((await listApiKeys(ctx, accountId)).items.map(({ name }) => name)).toEqual(['Second', 'test'])
    await revokeApiKey(ctx, accountId, id)
    await expect(serviceContextOf(gateway, secret)).rejects.toMatchObject({ code: 'unauthenticated' })
    const other = await makeAccount(gateway)
    const [foreign] = (await listApiKeys(systemContextOf(gateway), other.accountId)).items
    for (const attempt of [
      () => createApiKey(ctx, other.accountId, { name: 'x' }),
      () => listApiKeys(ctx, other.accountId),
      () => revokeApiKey(ctx, other.accountId, foreign!.id),
      () => revokeApiKey(ctx, accountId, foreign!.id),
      () => revokeApiKey(ctx, accountId, foreign!.number),
      () => rotateApiKey(ctx, accountId, foreign!.id, {}),
      () => getUsage(ctx, other.accountId),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'not_found' })
    }
    await serviceContextOf(gateway, other.apiKey)
  })

  it('that works in one project manages that project alone', async () => {
    const { accountId, apiKey } = await makeAccount(gateway, { scopes: ['admin'], project_id: 'shop' })
    const ctx = await serviceContextOf(gateway, apiKey)
    const wide = await createApiKey(systemContextOf(gateway), accountId, { name: 'Wide' })
    expect((await createApiKey(ctx, accountId, { name: 'Mine' })).projectId).toBe('shop')
    await expect(createApiKey(ctx, accountId, { name: 'x', project_id: 'bank' })).rejects.toMatchObject({
      code: 'forbidden',
    })
    expect((await listApiKeys(ctx, accountId)).items.map(({ name }) => name)).toEqual(['Mine', 'test'])
    await expect(revokeApiKey(ctx, accountId, wide.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(rotateApiKey(ctx, accountId, wide.number, {})).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is needed: one that may only read and write manages nothing', async () => {
    const { accountId, apiKey } = await makeAccount(gateway)
    const ctx = await serviceContextOf(gateway, apiKey)
    await expect(listApiKeys(ctx, accountId)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(createApiKey(ctx, accountId, { name: 'x' })).rejects.toMatchObject({ code: 'forbidden' })
    await expect(getUsage(ctx, accountId)).rejects.toMatchObject({ code: 'forbidden' })
  })
})
