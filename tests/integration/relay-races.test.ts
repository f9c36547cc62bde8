import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inTransaction } from '../../src/db/database.ts'
import { batches } from '../../src/db/schema/batches.ts'
import { messages } from '../../src/db/schema/messages.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { findNextBatch, insertBatch } from '../../src/domain/relay/queries.ts'
import { relayBatch } from '../../src/domain/relay/relay-batch.ts'
import { deleteEmptySession, lockExistingSession, lockSessionRow } from '../../src/domain/sessions/queries.ts'
import { createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { testDatabaseUrl } from '../helpers/test-database.ts'

let fake: FakeEveros
let gateway: TestGateway
let user: TestUser

beforeAll(async () => {
  fake = await startFakeEveros()
  gateway = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: fake.url, RELAY_WAIT_MS: '2000' })
  user = await createUser(gateway.url)
})
afterAll(async () => {
  await gateway.close()
  await fake.close()
})

async function sessionRow(name: string) {
  const [row] = await gateway.services.db.select().from(sessions).where(eq(sessions.externalId, name))
  if (!row) throw new Error(`There is no session ${name}.`)
  return row
}

function adds(upstreamSessionId: string) {
  return fake.requests.filter(
    ({ path, body }) => path.endsWith('/add') && JSON.stringify(body).includes(upstreamSessionId),
  )
}

describe('two processes at one batch', () => {
  it('send it once: who looked first and sends last finds it taken', async () => {
    const { services } = gateway
    fake.failNext('add', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' })
    expect((await user.addMessage('chat:fence', 'Hello.')).status).toBe(202)
    const row = await sessionRow('chat:fence')
    const before = adds(row.upstreamSessionId).length
    const seen = await findNextBatch(services.db, row.id, 86_400_000)
    if (!seen) throw new Error('The batch is not open.')
    await until(
      () => services.relay.drain(row.id),
      (result) => result === 'idle',
    )

    const claimed = {
      ...row,
      upstreamProjectId: 'p_late',
      upstreamSenderId: 'u_late',
      upstreamSessionId: row.upstreamSessionId,
      token: 'late',
    }
    const deps = {
      db: services.db,
      objectStore: services.objectStore,
      backend: services.backend,
      events: services.events,
      log: services.log,
      attempts: 12,
      giveUpMs: 86_400_000,
    }
    const late = await relayBatch(deps, claimed, seen, { signal: new AbortController().signal, isAwaited: () => false })
    expect(late).toEqual({ state: 'gone' })
    expect(adds(row.upstreamSessionId).length - before).toBe(1)
  })
})

describe.runIf(testDatabaseUrl)('removing an empty session while another add of it commits', () => {
  it('waits for it, and keeps the session', async () => {
    const { db } = gateway.services
    await user.addMessage('chat:empty', 'Hello.')
    const row = await sessionRow('chat:empty')
    const owner = { userId: row.userId }
    await db.delete(messages).where(eq(messages.sessionId, row.id))
    await db.delete(batches).where(eq(batches.sessionId, row.id))

    const holding = Promise.withResolvers<void>()
    const commit = Promise.withResolvers<void>()
    const add = inTransaction(db, async (tx) => {
      await lockExistingSession(tx, owner, row.id)
      holding.resolve()
      await commit.promise
      await insertBatch(tx, owner, { id: 'bat_race', action: 'add', state: 'stored', sessionId: row.id, position: 1 })
    })
    await holding.promise
    const removal = inTransaction(db, async (tx) => {
      await lockSessionRow(tx, row.id)
      await deleteEmptySession(tx, owner, row.id)
    })
    commit.resolve()
    await Promise.all([add, removal])
    expect(await db.select({ id: batches.id }).from(batches).where(eq(batches.sessionId, row.id))).toEqual([
      { id: 'bat_race' },
    ])
  })
})

describe('a resource in which the backend found nothing', () => {
  it('is kept as failed, and extracted when it is tried again', async () => {
    fake.failNext('flush', 'nothing')
    const added = await user.addResource({ name: 'p.png', bytes: picture })
    expect(added).toMatchObject({ status: 201, body: { status: 'failed' } })
    const path = `/resources/${added.body.resource_id}`
    expect((await user.get(path)).body).toMatchObject({ status: 'failed', error: 'NO_EXTRACTION' })
    expect((await user.post(`${path}/retry`)).status).toBe(202)
    await until(
      () => user.get(path),
      ({ body }) => body.status === 'extracted',
    )
    expect((await user.post(`${path}/retry`)).status).toBe(409)
  })
})

describe('messages that could not be relayed', () => {
  it.each([0, 1])(
    'after %i lost answers reach the backend behind those that went before them meanwhile',
    async (attempts) => {
      const session = `chat:overtaken-${attempts}`
      fake.failNext('add', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' })
      expect((await user.addMessage(session, 'The first.')).status).toBe(202)
      const row = await sessionRow(session)
      const { db, relay } = gateway.services
      await relay.settle()
      await db.update(batches).set({ state: 'failed', attempts }).where(eq(batches.sessionId, row.id))
      expect((await user.addMessage(session, 'The second.')).status).toBe(200)
      fake.memory.flush(row.upstreamSessionId, 'default', String(adds(row.upstreamSessionId)[0]?.body.project_id))

      expect((await user.post('/memories/flush', { session_id: session })).status).toBe(200)
      const sent = adds(row.upstreamSessionId).map(
        ({ body }) => (body.messages as { timestamp: number; content: unknown }[])[0],
      )
      const last = sent.at(-1)
      expect(JSON.stringify(last?.content)).toContain('The first.')
      const second = sent.find((message) => JSON.stringify(message?.content).includes('The second.'))
      expect(last?.timestamp).toBeGreaterThan(second?.timestamp ?? Number.MAX_SAFE_INTEGER)
      const { body } = await user.get(`/sessions/${session}/messages`)
      expect(body.messages).toMatchObject([{ state: 'extracted' }, { state: 'extracted' }])
    },
  )

  it('say why, and are tried again by a flush', async () => {
    await user.addMessage('chat:failed', 'Hello.')
    const row = await sessionRow('chat:failed')
    await gateway.services.db
      .update(batches)
      .set({ state: 'failed', reason: 'INTERNAL_ERROR' })
      .where(eq(batches.sessionId, row.id))
    const path = '/sessions/chat:failed/messages'
    expect((await user.get(path)).body.messages).toMatchObject([{ state: 'failed', error: 'INTERNAL_ERROR' }])
    expect((await user.post('/memories/flush', { session_id: 'chat:failed' })).status).toBe(200)
    expect((await user.get(path)).body.messages).toMatchObject([{ state: 'extracted' }])
  })
})
