import { beforeAll, describe, expect, it } from 'vitest'
import { issueKey } from '../../src/domain/secret-key.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { callerWith, makeSyncCaller, type SyncAnswer, type SyncCaller } from '../helpers/memory-sync.ts'
import { type OwnedMemories, type SyncRoute, syncRoutes, withForeignKeys } from '../helpers/sync-routes.ts'

let gateway: TestGateway
let owner: SyncCaller
let ids: OwnedMemories

async function makeOwned(caller: SyncCaller): Promise<OwnedMemories> {
  const one = await caller.add('The spare key is hidden under the third stone by the harbour')
  const other = await caller.add('Her boat lies in the harbour of Sines since last summer')
  const form = new FormData()
  form.set('file', new Blob(['A list of provisions for the long crossing to the Azores.']), 'list.txt')
  const { body } = await caller.call('POST', '/memory/upload', form)
  return { one: one.id, other: other.id, upload: { memory: body.id, file: body.attachments[0].id } }
}

beforeAll(async () => {
  gateway = await sharedGateway()
  owner = await makeSyncCaller(gateway)
  ids = await makeOwned(owner)
})

function send(caller: SyncCaller, route: SyncRoute, wanted: OwnedMemories, headers: Record<string, string> = {}) {
  return caller.call(route.method, route.path(wanted), route.body?.(wanted), headers)
}

function expectNothingOf(answer: SyncAnswer) {
  const text = JSON.stringify(answer.body)
  for (const secret of ['third stone', 'Sines', 'Azores']) expect(text).not.toContain(secret)
}

function expectError(answer: SyncAnswer, status: number, code: string) {
  expect(answer.status, JSON.stringify(answer.body)).toBe(status)
  expect(answer.body).toMatchObject({ error: { code, message: expect.stringMatching(/\S/) } })
  expect(answer.headers.get('x-request-id')).toMatch(/\S/)
}

describe.each(Object.entries(syncRoutes))('%s', (_name, route) => {
  it('answers its owner, also with a slash at the end, keys that it does not know and the deprecated ones', async () => {
    const mine = await makeSyncCaller(gateway)
    const own = await makeOwned(mine)
    const [path, query] = route.path(own).split('?')
    const slashed = `${path}/${query === undefined ? '' : `?${query}`}`
    const answer = await mine.call(route.method, slashed, withForeignKeys(route.body?.(own)))
    expect(answer.status, JSON.stringify(answer.body)).toBe(route.status)
    expect(answer.headers.get('x-request-id')).toMatch(/\S/)
  })

  it('refuses no key, a wrong one, and one without the scope', async () => {
    expectError(await send(owner, route, ids, { 'X-API-Key': '' }), 401, 'UNAUTHENTICATED')
    expectError(await send(owner, route, ids, { 'X-API-Key': issueKey('mgk_live_').secret }), 401, 'UNAUTHENTICATED')
    expectError(await send(owner, route, ids, { 'X-API-Key': 'nonsense' }), 401, 'UNAUTHENTICATED')
    const lesser = await makeSyncCaller(gateway, { scopes: [route.scope === 'read' ? 'write' : 'read'] })
    expectError(await send(lesser, route, ids), 403, 'INSUFFICIENT_SCOPE')
  })

  it('needs a project', async () => {
    const answer = await send(owner, route, ids, { 'X-Project-ID': '' })
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ code: 'PROJECT_ID_REQUIRED', detail: expect.stringMatching(/X-Project-ID/) })
  })

  it.runIf(route.needsEndUser !== false)('needs an end user', async () => {
    expectError(await send(owner, route, ids, { 'X-End-User-ID': '' }), 400, 'MISSING_END_USER_ID')
  })

  it.runIf(route.toOthers !== undefined)("keeps the owner's from other users, projects and accounts", async () => {
    const { accountId, apiKey, headers } = owner
    const others = [
      owner.as('somebody-else'),
      callerWith(gateway, { accountId, apiKey }, { ...headers, 'X-Project-ID': 'other' }),
      await makeSyncCaller(gateway),
    ]
    for (const other of others) {
      const answer = await send(other, route, ids)
      if (route.toOthers === 404) {
        expectError(answer, 404, 'NOT_FOUND')
        const unknown = { one: 2 ** 52, other: 2 ** 52 + 1, upload: { memory: 2 ** 52, file: 'att_none' } }
        expect((await send(other, route, unknown)).body).toEqual(answer.body)
      } else expect(answer.status).toBeLessThan(300)
      expectNothingOf(answer)
    }
    // And nothing of it was changed or deleted.
    const after = await owner.call('GET', '/memory/export')
    expect(after.body.memories).toHaveLength(3)
    expect(after.body.memories.map((memory: { tags: string[] }) => memory.tags)).toEqual([[], [], []])
  })
})

describe.each([
  ['POST', '/memory/search/routed', { query: 'Where is the key?' }, 'read'],
  ['POST', '/memory/synthesize', { query: 'Where is the key?' }, 'read'],
  ['POST', '/memory/decision/resolve', { decision_id: '1-2', winning_memory_id: 1 }, 'write'],
  ['GET', '/memory/intelligence', undefined, 'read'],
  ['DELETE', '/memory/user/purge', undefined, 'write'],
])('%s %s', (method, path, body, scope) => {
  it('asks for a key, a project and a scope as any other', async () => {
    const ask = (caller: SyncCaller, headers = {}) => caller.call(method, path, body, headers)
    expectError(await ask(owner, { 'X-API-Key': '' }), 401, 'UNAUTHENTICATED')
    expectError(await ask(owner, { 'X-API-Key': issueKey('mgk_live_').secret }), 401, 'UNAUTHENTICATED')
    expect((await ask(owner, { 'X-Project-ID': '' })).body.code).toBe('PROJECT_ID_REQUIRED')
    const lesser = await makeSyncCaller(gateway, { scopes: [scope === 'read' ? 'write' : 'read'] })
    expectError(await ask(lesser), 403, 'INSUFFICIENT_SCOPE')
    const isForUser = !['/memory/intelligence', '/memory/user/purge'].includes(path)
    if (isForUser) expectError(await ask(owner, { 'X-End-User-ID': '' }), 400, 'MISSING_END_USER_ID')
  })
})

describe('what is under /memory and is no route', () => {
  it.each([
    ['GET', '/memory/nothing'],
    ['POST', '/memory/12/nothing'],
    ['PUT', '/memory/add'],
    ['GET', '/memory/add'],
    ['GET', '/memory/12x'],
    ['GET', '/memory/'],
  ])('%s %s: 404 of the dialect', async (method, path) => {
    expectError(await owner.call(method, path), 404, 'NOT_FOUND')
  })

  it.each([
    ['GET', '/memory/intelligence'],
    ['POST', '/imports'],
    ['GET', '/imports/job-1'],
    ['POST', '/exports'],
    ['GET', '/api/v2/integrations'],
    ['GET', '/api/v1/integrations/slack'],
  ])('%s %s says that the gateway does not do it', async (method, path) => {
    expectError(await owner.call(method, path), 501, 'NOT_IMPLEMENTED')
  })

  it.each([
    ['/memory/search/routed', { query: 'Where is the key?' }],
    ['/memory/synthesize', { query: 'Where is the key?' }],
  ])('%s names the setting of the chat model that is not there', async (path, body) => {
    const answer = await owner.call('POST', path, body)
    expectError(answer, 503, 'UNAVAILABLE')
    expect(answer.body.error.message).toContain('CHAT_MODEL')
  })

  it('refuses to erase an account', async () => {
    expectError(await owner.call('DELETE', '/memory/user/purge'), 403, 'FORBIDDEN')
  })
})
