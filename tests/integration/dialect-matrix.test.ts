import { and, eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { apiKeys } from '../../src/db/schema/api-keys.ts'
import { memories } from '../../src/db/schema/memories.ts'
import { memoryFeedback } from '../../src/db/schema/memory-feedback.ts'
import { memoryLinks } from '../../src/db/schema/memory-links.ts'
import { memoryRevisions } from '../../src/db/schema/memory-revisions.ts'
import { messages } from '../../src/db/schema/messages.ts'
import { projectSettings } from '../../src/db/schema/project-settings.ts'
import { stateItems } from '../../src/db/schema/state-items.ts'
import { threads } from '../../src/db/schema/threads.ts'
import { transcriptTurns } from '../../src/db/schema/transcript-turns.ts'
import { webhookDeliveries } from '../../src/db/schema/webhook-deliveries.ts'
import { webhooks } from '../../src/db/schema/webhooks.ts'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { revokeApiKey } from '../../src/domain/accounts/revoke-api-key.ts'
import { issueKey } from '../../src/domain/secret-key.ts'
import { type Answer, call, createUser, type TestUser } from '../helpers/client.ts'
import { type DialectIds, type DialectOwner, makeDialectOwner, unknownDialectIds } from '../helpers/dialect-owner.ts'
import { type Dialect, guardedRoutes, openRoutes, type Sender, sendDialect } from '../helpers/dialect-routes.ts'
import { serveEcho } from '../helpers/echo-model.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { routes as nativeRoutes } from '../helpers/routes.ts'
import { makeAccount, systemContextOf } from '../helpers/service.ts'

let gateway: TestGateway
let base: string
let close: () => Promise<void>
let owner: DialectOwner
let other: DialectOwner
let writer: DialectOwner
let native: TestUser
let before: string
const keys: Record<'revoked' | 'expired' | 'elsewhere' | 'reads' | 'writes', string> = {
  revoked: '',
  expired: '',
  elsewhere: '',
  reads: '',
  writes: '',
}

beforeAll(async () => {
  gateway = await sharedGateway()
  const served = await serveEcho(gateway)
  base = served.url
  close = served.close
  owner = await makeDialectOwner(gateway, base)
  other = await makeDialectOwner(gateway, base)
  writer = await makeDialectOwner(gateway, base)
  native = await createUser(base)
  const ctx = systemContextOf(gateway)
  const make = (more: object) => createApiKey(ctx, owner.accountId, { name: 'x', scopes: ['admin'], ...more })
  const revoked = await make({ project_id: 'demo' })
  await revokeApiKey(ctx, owner.accountId, revoked.id)
  const expired = await make({ project_id: 'demo', expires_at: '2999-01-01T00:00:00Z' })
  await gateway.services.db
    .update(apiKeys)
    .set({ expiresAt: new Date(Date.now() - 1_000) })
    .where(eq(apiKeys.id, expired.id))
  const elsewhere = await make({ project_id: 'other' })
  const reads = await make({ project_id: 'demo', scopes: ['read'] })
  const writes = await make({ project_id: 'demo', scopes: ['write'] })
  Object.assign(keys, {
    revoked: revoked.secret,
    expired: expired.secret,
    elsewhere: elsewhere.secret,
    reads: reads.secret,
    writes: writes.secret,
  })
  before = await picture(owner)
})
afterAll(() => close())

/** All that the owner has in the project, as far as requests can change it. */
async function picture({ accountId, project, ids }: DialectOwner): Promise<string> {
  const { db } = gateway.services
  const [{ userId } = { userId: '' }] = await db.select().from(memories).where(eq(memories.id, ids.memory.id))
  const isOfProject = ({ projectId }: { projectId: string | null }) =>
    projectId === project || projectId === ids.project
  const hooks = await db.select().from(webhooks).where(eq(webhooks.accountId, accountId)).orderBy(webhooks.id)
  const ofKeys = await db.select().from(apiKeys).where(eq(apiKeys.accountId, accountId)).orderBy(apiKeys.number)
  const settings = await db.select().from(projectSettings).where(eq(projectSettings.accountId, accountId))
  const rows = [
    await db.select().from(memories).where(eq(memories.userId, userId)).orderBy(memories.number),
    await db.select().from(transcriptTurns).where(eq(transcriptTurns.userId, userId)).orderBy(transcriptTurns.id),
    await db.select().from(stateItems).where(eq(stateItems.userId, userId)).orderBy(stateItems.id),
    await db.select().from(threads).where(eq(threads.userId, userId)).orderBy(threads.id),
    await db.$count(messages, eq(messages.userId, userId)),
    await db.select().from(memoryLinks).where(eq(memoryLinks.userId, userId)).orderBy(memoryLinks.number),
    hooks.filter(isOfProject),
    ofKeys.filter(isOfProject).map(({ lastUsedAt: _lastUsedAt, ...key }) => key),
    settings.filter(isOfProject).toSorted((one, two) => (one.projectId + one.name < two.projectId + two.name ? -1 : 1)),
    await db.$count(memoryFeedback, eq(memoryFeedback.userId, userId)),
    await db.$count(memoryRevisions, eq(memoryRevisions.userId, userId)),
    await db.$count(
      webhookDeliveries,
      and(eq(webhookDeliveries.webhookId, ids.webhook), eq(webhookDeliveries.userId, userId)),
    ),
  ]
  return JSON.stringify(rows, null, 1)
}

function expectNothingForeign(answer: Answer) {
  const text = JSON.stringify([answer.body, [...answer.headers]])
  for (const secret of [...owner.secrets, ...Object.values(keys)]) expect(text).not.toContain(secret)
}

const UNAUTHENTICATED: Readonly<Record<Dialect, object>> = {
  layer: { detail: 'Invalid or missing API key' },
  stack: { error: 'Invalid API key' },
  sync: { error: { code: 'UNAUTHENTICATED', message: expect.stringMatching(/\S/) } },
  mastra: { error: { type: 'authentication_error', message: expect.stringMatching(/\S/) } },
  openai: { error: { type: 'authentication_error', message: expect.stringMatching(/\S/) } },
}
const TEXT = expect.stringMatching(/\S/)

/** The dialect's own words for a refusal. */
function expectRefusal(dialect: Dialect, answer: Answer, status: number) {
  expect(answer.status, JSON.stringify(answer.body)).toBe(status)
  expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]+$/)
  expectNothingForeign(answer)
  const envelope: Readonly<Record<Dialect, object>> = {
    layer: { detail: TEXT },
    stack: { error: TEXT },
    sync: { error: { code: TEXT, message: TEXT } },
    mastra: { error: { type: TEXT, message: TEXT } },
    openai: { error: { type: TEXT, message: TEXT } },
  }
  expect(answer.body).toMatchObject(envelope[dialect])
}

/** Headers or fields that a request names its sender by, beside the key; where the route takes them. */
const naming = ({ ids, project }: DialectOwner) => ({ project, endUser: ids.endUser })
/** The dialects without a header for the project take it from the key. */
const keyOf = (one: DialectOwner, dialect: Dialect) => (dialect === 'sync' ? one.apiKey : one.projectKey)

const isNative = new Set([
  ...Object.keys(nativeRoutes).map((route) => route.replaceAll(/\{(\w+)\}/g, ':$1')),
  'GET /openapi.json',
  'GET /docs',
  'GET /docs/start.js',
  'GET /docs/:file',
  'ALL /*',
])

it('has every route of the dialects in the table, and no other', () => {
  const found = createApp(gateway.services).routes.map(
    ({ method, path }) => `${method} ${path.replace(/(?<=.)\/$/, '')}`,
  )
  const ofDialects = [...new Set(found)].filter((route) => !isNative.has(route))
  expect(ofDialects.toSorted()).toEqual([...Object.keys(guardedRoutes), ...Object.keys(openRoutes)].toSorted())
})

const all = Object.entries(guardedRoutes)
const isRead = ([route, { scope }]: (typeof all)[number]) => route.startsWith('GET') || scope === 'read'

describe.each(all.filter(isRead))('%s', (route, { dialect, status }) => {
  it('answers its owner', async () => {
    // Not the one whose things must stay as they are: reading counts.
    const sender = { key: keyOf(other, dialect), ...naming(other) }
    const answer = await sendDialect(base, route, other.ids, sender)
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expectNothingForeign(answer)
  })
})

describe.each(all.filter((entry) => !isRead(entry)))('%s', (route, { dialect, status }) => {
  it('answers its owner', async () => {
    // One whose things may have been taken away is nobody for the next.
    const own = route.startsWith('POST') ? writer : await makeDialectOwner(gateway, base)
    const answer = await sendDialect(base, route, own.ids, { key: keyOf(own, dialect), ...naming(own) })
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expectNothingForeign(answer)
  })
})

describe.each(all)(
  '%s, for a stranger',
  (route, { dialect, scope, status, toOthers = status, toOtherEndUser = toOthers, ofProject }) => {
    const ask = (sender: Sender, ids: DialectIds = owner.ids) => sendDialect(base, route, ids, sender)
    const named = () => naming(owner)

    it('refuses no key, and a wrong, malformed, revoked or expired one, alike', async () => {
      const wrong = [
        undefined,
        issueKey('mgk_live_').secret,
        'mgk_live_x',
        `${owner.projectKey.slice(0, -1)}!`,
        `${owner.projectKey}x`,
        issueKey('uk_').secret,
        keys.revoked,
        keys.expired,
      ]
      for (const key of wrong) {
        const answer = await ask({ key, ...named() })
        expectRefusal(dialect, answer, 401)
        expect(answer.body).toMatchObject(UNAUTHENTICATED[dialect])
        expect(answer.headers.get('www-authenticate')).toBe('Bearer')
      }
    })

    it('refuses a key without the scope', async () => {
      const lesser = scope === 'read' ? [keys.writes] : scope === 'write' ? [keys.reads] : [keys.reads, keys.writes]
      for (const key of lesser) expectRefusal(dialect, await ask({ key, ...named() }), 403)
    })

    it("keeps the owner's from a key of another account that names it", async () => {
      const stranger = await makeAccount(gateway, {
        scopes: ['admin'],
        ...(dialect !== 'sync' && { project_id: 'demo' }),
      })
      const foreign = await ask({ key: stranger.apiKey, ...named() })
      expect(foreign.status, JSON.stringify(foreign.body)).toBe(toOthers)
      expectNothingForeign(foreign)
      if (toOthers !== 404) return
      expectRefusal(dialect, foreign, 404)
      const unknown = await ask({ key: stranger.apiKey, ...named() }, unknownDialectIds(owner.ids.endUser))
      expect([unknown.status, unknown.body]).toEqual([foreign.status, foreign.body])
    })

    it("keeps the owner's from a key of another project of the account", async () => {
      const answer = await ask({ key: keys.elsewhere, endUser: owner.ids.endUser })
      expect(answer.status, JSON.stringify(answer.body)).toBe(route === 'POST /org/projects' ? 403 : toOthers)
      expectNothingForeign(answer)
      if (dialect === 'sync') expectRefusal(dialect, await ask({ key: keys.elsewhere, ...named() }), 403)
    })

    it.runIf((dialect === 'sync' && !ofProject) || dialect === 'mastra' || dialect === 'openai')(
      "keeps an end user's from another",
      async () => {
        const ids = { ...owner.ids, endUser: 'somebody-else' }
        const key = dialect === 'sync' ? owner.apiKey : owner.projectKey
        const answer = await ask({ key, project: 'demo', endUser: 'somebody-else' }, ids)
        expect(answer.status, JSON.stringify(answer.body)).toBe(toOtherEndUser)
        expectNothingForeign(answer)
      },
    )

    it('keeps it from a native user', async () => {
      const ids = { ...owner.ids, endUser: native.id }
      const answer = await ask({ key: native.key, project: 'demo', endUser: owner.ids.endUser }, ids)
      const isTheirs = scope !== 'admin' && route !== 'PUT /memory/ontology'
      if (dialect === 'layer' || dialect === 'stack') expectRefusal(dialect, answer, 401)
      else if (!isTheirs) expectRefusal(dialect, answer, 403)
      else expect(answer.status, JSON.stringify(answer.body)).toBe(toOthers)
      expectNothingForeign(answer)
    })
  },
)

it("leaves the owner's things as they were after all that", async () => {
  expect(await picture(owner)).toBe(before)
})

it.each(Object.entries(openRoutes))('%s says the same to everybody', async (route, status) => {
  const [method = '', pattern = ''] = route.split(' ')
  const path = pattern.replace('/*', '/anything')
  for (const key of [undefined, keys.revoked, owner.apiKey]) {
    const answer = await call(base + path, {
      method: method === 'ALL' ? 'POST' : method,
      headers: key === undefined ? {} : { 'x-api-key': key },
    })
    expectRefusal(pattern.startsWith('/v1/memory/') ? 'mastra' : 'sync', answer, status)
  }
})
