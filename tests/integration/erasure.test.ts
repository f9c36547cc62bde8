import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { attachments } from '../../src/db/schema/attachments.ts'
import { batches } from '../../src/db/schema/batches.ts'
import { engineMemories } from '../../src/db/schema/engine-memories.ts'
import { erasures } from '../../src/db/schema/erasures.ts'
import { idempotencyKeys } from '../../src/db/schema/idempotency-keys.ts'
import { messages } from '../../src/db/schema/messages.ts'
import { scopes } from '../../src/db/schema/scopes.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { userKeys } from '../../src/db/schema/user-keys.ts'
import { userResources } from '../../src/db/schema/user-resources.ts'
import { users } from '../../src/db/schema/users.ts'
import { type Answer, call, createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { hurryJobs } from '../helpers/jobs.ts'
import { noRows, objectKeys, rowsOf } from '../helpers/stored.ts'

const ADMIN_KEY = 'an-admin-key-for-tests'
const png = { name: 'p.png', bytes: picture, type: 'image/png' }
const image = { field: 'i', kind: 'image', ...png }

async function receipt(gateway: TestGateway, answer: Answer, status = 'done'): Promise<Answer['body']> {
  const path = answer.headers.get('location')
  expect(path).toMatch(/^\/erasures\/era_/)
  const done = await until(
    async () => {
      await hurryJobs(gateway)
      return call(gateway.url + path)
    },
    ({ body }) => body.status === status,
    30_000,
  )
  return done.body
}

/** Every row in the gateway's tables that names the user. */
async function rowsNaming({ services: { db } }: TestGateway, userId: string): Promise<number> {
  const tables = [attachments, batches, idempotencyKeys, messages, scopes, sessions, userKeys, userResources] as const
  const counts = await Promise.all(tables.map((table) => db.$count(table, eq(table.userId, userId))))
  const own = await db.$count(users, eq(users.id, userId))
  return counts.reduce((sum, count) => sum + count, own)
}

async function idOf({ services: { db } }: TestGateway, user: TestUser): Promise<string> {
  const [row] = await db.select().from(users).where(eq(users.externalId, user.id))
  return row?.id ?? ''
}

/** A user with chats, files, a resource, keys and a stored answer. */
async function fill(user: TestUser) {
  await user.addMessage('chat:1', 'The harbour.', [image])
  await user.post('/memories/flush', { session_id: 'chat:1' })
  await user.post(
    '/memories/add',
    { session_id: 'chat:2', messages: [{ role: 'user', content: 'x' }] },
    { 'idempotency-key': 'k' },
  )
  await user.addResource(png)
  await user.post(`/users/${user.id}/keys`)
}

describe('on the embedded backend', () => {
  let gateway: TestGateway
  let user: TestUser

  beforeAll(async () => {
    gateway = await startGateway()
  })
  afterAll(() => gateway.close())
  beforeEach(async () => {
    user = await createUser(gateway.url)
  })

  it('erases a user: keys dead at once, then nothing is left, and the name is free', async () => {
    await fill(user)
    const other = await createUser(gateway.url)
    await fill(other)
    const userId = await idOf(gateway, user)
    const keysBefore = objectKeys(gateway).length
    const [scope] = await gateway.services.db.select().from(scopes).where(eq(scopes.userId, userId))
    const remembered = () =>
      gateway.services.db.$count(engineMemories, eq(engineMemories.projectId, scope?.upstreamProjectId ?? ''))
    expect(await remembered()).toBeGreaterThan(0)
    const answer = await user.delete(`/users/${user.id}`)
    expect(answer.status, JSON.stringify(answer.body)).toBe(202)
    expect(answer.body).toEqual({ erasure_id: expect.stringMatching(/^era_/), status: 'processing' })
    expect((await user.get('/sessions')).status).toBe(401)

    const done = await receipt(gateway, answer)
    expect(done).toMatchObject({
      kind: 'user',
      requested_by: 'user',
      sessions: 3,
      messages: 3,
      objects: 2,
      bytes: 2 * picture.length,
      pending_operator: [],
      finished_at: expect.any(String),
    })
    expect(await rowsNaming(gateway, userId)).toBe(0)
    expect(objectKeys(gateway)).toHaveLength(keysBefore - 2)
    expect(await remembered()).toBe(0)

    expect((await other.get('/resources')).body.resources).toHaveLength(1)
    const again = await createUser(gateway.url, user.id)
    expect((await again.get('/sessions')).body.sessions).toEqual([])
    const { body } = await again.post('/memories/search', { query: 'harbour', scope: ['all_user_memory'] })
    expect(body.results).toEqual([])
  })

  it('gives a receipt for a session and for a resource', async () => {
    await user.addMessage('chat:1', 'One.', [image])
    const { body: resource } = await user.addResource(png)
    const session = await receipt(gateway, await user.delete('/sessions/chat:1'))
    expect(session).toMatchObject({ kind: 'session', sessions: 1, messages: 1, objects: 1, bytes: picture.length })
    const file = await receipt(gateway, await user.delete(`/resources/${resource.resource_id}`))
    expect(file).toMatchObject({ kind: 'resource', sessions: 1, messages: 1, objects: 1 })
    expect(await rowsOf(gateway, user)).toMatchObject({ ...noRows, sessions: 2 })
  })

  it('says nothing of a receipt that is not there', async () => {
    const answer = await call(`${gateway.url}/erasures/era_unknown`)
    expect(answer.status).toBe(404)
    expect(answer.body.error.code).toBe('not_found')
  })

  it('refuses an upload whose user is erased while it comes in, and keeps nothing of it', async () => {
    const userId = await idOf(gateway, user)
    const before = objectKeys(gateway)
    const head = [
      '--b\r\ncontent-disposition: form-data; name="session_id"\r\n\r\nchat:1\r\n',
      `--b\r\ncontent-disposition: form-data; name="messages"\r\n\r\n${JSON.stringify([{ role: 'user', content: [{ type: 'image', upload_id: 'i' }] }])}\r\n`,
      '--b\r\ncontent-disposition: form-data; name="i"; filename="p.png"\r\n\r\n',
    ].join('')
    let erased: Answer | undefined
    const upload = await call(`${gateway.url}/memories/add/multipart`, {
      method: 'POST',
      duplex: 'half',
      headers: { authorization: `Bearer ${user.key}`, 'content-type': 'multipart/form-data; boundary=b' },
      body: (async function* () {
        yield Buffer.from(head)
        // The upload is admitted once it holds a place.
        await until(
          async () => gateway.services.metrics.uploadsInFlight.get(),
          ({ values }) => values[0]?.value === 1,
        )
        erased = await user.delete(`/users/${user.id}`)
        yield Buffer.concat([Buffer.from(picture), Buffer.from('\r\n--b--\r\n')])
      })(),
    } as RequestInit)
    expect(upload.status).toBe(401)
    await receipt(gateway, erased!)
    expect(await rowsNaming(gateway, userId)).toBe(0)
    expect(objectKeys(gateway)).toEqual(before)
  })

  it('takes a batch along that is being received, whose process died', async () => {
    const userId = await idOf(gateway, user)
    await gateway.services.db
      .insert(batches)
      .values({ id: 'bat_dead', userId, action: 'add', state: 'receiving', updatedAt: sql`now() - interval '2 hours'` })
    const answer = await user.delete(`/users/${user.id}`)
    await receipt(gateway, answer)
    expect(await rowsNaming(gateway, userId)).toBe(0)
  })

  it('leaves another user untouched who names this one', async () => {
    const other = await createUser(gateway.url)
    const answer = await other.delete(`/users/${user.id}`)
    expect(answer.status).toBe(404)
    expect((await user.get('/sessions')).status).toBe(200)
  })

  it('waits for an object store that is away', async () => {
    const before = objectKeys(gateway)
    await user.addMessage('chat:1', 'One.', [image])
    const key = objectKeys(gateway).find((name) => !before.includes(name))
    const { config, objectStore } = gateway.services
    const remove = objectStore.delete.bind(objectStore)
    Object.assign(objectStore, { delete: () => Promise.reject(new Error('away')) })
    try {
      const answer = await user.delete(`/users/${user.id}`)
      const path = gateway.url + answer.headers.get('location')
      const [row] = await gateway.services.db.select().from(erasures).where(eq(erasures.id, answer.body.erasure_id))
      await until(
        () => gateway.services.db.select().from(erasures).where(eq(erasures.id, answer.body.erasure_id)),
        ([now]) => now!.updatedAt > row!.createdAt,
      )
      expect((await call(path)).body.status).toBe('processing')
      Object.assign(objectStore, { delete: remove })
      await receipt(gateway, answer)
      const dir = config.objectStore.kind === 'local' ? config.objectStore.dir : ''
      expect(existsSync(join(dir, key!))).toBe(false)
    } finally {
      Object.assign(objectStore, { delete: remove })
    }
  })
})

describe('on a backend that deletes by owner', () => {
  it('also deletes a session of the user in which only others spoke', async () => {
    await using stack = new AsyncDisposableStack()
    const fake = await startFakeEveros()
    stack.defer(() => fake.close())
    const gateway = await startGateway({
      MEMORY_BACKEND: 'everos',
      EVEROS_BASE_URL: fake.url,
      EVEROS_API_PREFIX: '/api/v2/memory',
    })
    stack.defer(() => gateway.close())
    const user = await createUser(gateway.url)
    const messages = [{ role: 'assistant', sender_id: 'helper', content: 'Said of the user.' }]
    expect((await user.post('/memories/add', { session_id: 'chat:1', messages })).status).toBe(200)
    expect([...fake.memory.buffers()]).toHaveLength(1)
    await receipt(gateway, await user.delete(`/users/${user.id}`))
    expect([...fake.memory.buffers()]).toEqual([])
  })
})

describe('on a backend that cannot delete', () => {
  let gateway: TestGateway
  let fake: FakeEveros

  beforeAll(async () => {
    fake = await startFakeEveros({ canDelete: false })
    gateway = await startGateway({
      MEMORY_BACKEND: 'everos',
      EVEROS_BASE_URL: fake.url,
      GATEWAY_ADMIN_KEY: ADMIN_KEY,
    })
  })
  afterAll(async () => {
    await gateway.close()
    await fake.close()
  })

  const admin = { authorization: `Bearer ${ADMIN_KEY}` }
  const newUser = () => createUser(gateway.url, undefined, admin)

  it('names to the operator what is left in it, by its own names', async () => {
    const user = await newUser()
    await user.addMessage('chat:1', 'One.')
    const userId = await idOf(gateway, user)
    const [scope] = await gateway.services.db.select().from(scopes).where(eq(scopes.userId, userId))
    const [session] = await gateway.services.db.select().from(sessions).where(eq(sessions.userId, userId))
    const ofSession = await receipt(gateway, await user.delete('/sessions/chat:1'), 'pending_operator')
    expect(ofSession.pending_operator).toEqual([
      { project_id: scope?.upstreamProjectId, session_id: session?.upstreamSessionId },
    ])
    const answer = await call(`${gateway.url}/users/${user.id}`, { method: 'DELETE', headers: admin })
    expect(answer.status).toBe(202)
    const ofUser = await receipt(gateway, answer, 'pending_operator')
    expect(ofUser).toMatchObject({
      requested_by: 'admin',
      pending_operator: [{ project_id: scope?.upstreamProjectId }],
    })
    expect(await rowsNaming(gateway, userId)).toBe(0)
  })

  it('answers the operator, and them alone, once for one Idempotency-Key', async () => {
    const user = await newUser()
    const erase = () =>
      call(`${gateway.url}/users/${user.id}`, { method: 'DELETE', headers: { ...admin, 'idempotency-key': user.id } })
    const first = await erase()
    expect((await erase()).body).toEqual(first.body)
    expect((await call(`${gateway.url}/users/nobody`, { method: 'DELETE', headers: admin })).status).toBe(404)
    const wrong = await call(`${gateway.url}/users/${user.id}`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer an-admin-key-for-text' },
    })
    expect(wrong.status).toBe(401)
  })

  it('waits for an add that may still be at work', async () => {
    const user = await newUser()
    await user.addMessage('chat:1', 'One.')
    const userId = await idOf(gateway, user)
    await gateway.services.db
      .update(batches)
      .set({ state: 'unknown', settlesAt: sql`now() + interval '1 hour'` })
      .where(eq(batches.userId, userId))
    const answer = await user.delete(`/users/${user.id}`)
    await until(
      () => gateway.services.db.select().from(sessions).where(eq(sessions.userId, userId)),
      ([session]) => session !== undefined && session.settlesAt !== null,
    )
    expect((await call(gateway.url + answer.headers.get('location'))).body.status).toBe('processing')
    await gateway.services.db
      .update(sessions)
      .set({ settlesAt: sql`now() - interval '1 second'` })
      .where(eq(sessions.userId, userId))
    await receipt(gateway, answer, 'pending_operator')
    expect(await rowsNaming(gateway, userId)).toBe(0)
  })
})
