import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AwayBackend,
  heldTexts,
  newestSession,
  relayQueued,
  startAwayBackend,
  statesOf,
} from '../helpers/away-backend.ts'
import { call, createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { hurryJobs } from '../helpers/jobs.ts'

const ADMIN_KEY = 'an-admin-key-for-tests'
const admin = { authorization: `Bearer ${ADMIN_KEY}` }

let backend: AwayBackend
let user: TestUser

beforeAll(async () => {
  backend = await startAwayBackend({ GATEWAY_ADMIN_KEY: ADMIN_KEY, RELAY_ATTEMPTS: '1' })
})
afterAll(() => backend.close())
beforeEach(async () => {
  user = await createUser(backend.gateway.url, undefined, admin)
})

const operations = async (query = '') => (await user.get(`/operations${query}`)).body.operations

/** One message whose only attempt had no usable answer. */
async function failedMessage(session = 'chat:1') {
  backend.fake.failNext('add', 'stall')
  const { body } = await user.addMessage(session, 'One.')
  await until(
    () => statesOf(user, session),
    ([state]) => state === 'failed',
  )
  return body
}

describe('GET /operations', () => {
  it('is empty where the backend has taken everything', async () => {
    await user.addMessage('chat:1', 'One.')
    expect((await user.get('/operations')).body).toEqual({ operations: [], next_cursor: null })
  })

  it('shows what waits, and when it is tried again', async () => {
    await backend.proxy.set({ mode: 'refuse' })
    try {
      await user.addMessage('chat:1', 'One.')
      await user.addResource({ name: 'p.png', bytes: picture })
      const waiting = await operations()
      expect(waiting).toHaveLength(3)
      expect(waiting.map(({ action }: { action: string }) => action).toSorted()).toEqual(['add', 'add', 'flush'])
      const message = waiting.find(({ session_id }: { session_id: string }) => session_id === 'chat:1')
      expect(message).toMatchObject({
        status: 'stored',
        attempts: 0,
        message_count: 1,
        app_id: 'default',
        project_id: 'default',
      })
      const ofChat = async () =>
        (await operations()).filter((row: { session_id: string }) => row.session_id === 'chat:1')
      const [tried] = await until(ofChat, ([row]) => row.reason !== null)
      expect(tried.reason).toBe('UNREACHABLE')
      expect(Date.parse(tried.next_try_at)).toBeGreaterThan(Date.parse(tried.created_at))
      expect(waiting.filter(({ resource_id }: { resource_id?: string }) => resource_id)).toHaveLength(2)
    } finally {
      await backend.proxy.set({ mode: 'pass' })
    }
    await hurryJobs(backend.gateway)
    await until(operations, (list) => list.length === 0)
  })

  it('shows what failed and why, filters by status, and pages', async () => {
    await failedMessage('chat:1')
    await failedMessage('chat:2')
    const failed = await operations('?status=failed')
    expect(failed).toHaveLength(2)
    expect(failed[0]).toMatchObject({ status: 'failed', reason: 'TIMEOUT', attempts: 1, next_try_at: null })
    expect(await operations('?status=stored')).toEqual([])
    const { body: page } = await user.get('/operations?limit=1')
    expect(page.operations).toEqual([failed[0]])
    expect((await user.get(`/operations?limit=1&cursor=${page.next_cursor}`)).body).toEqual({
      operations: [failed[1]],
      next_cursor: null,
    })
  })

  it('shows nothing of a session that is deleted', async () => {
    await failedMessage()
    await user.delete('/sessions/chat:1')
    expect(await operations()).toEqual([])
  })

  it.each(['status=relayed', 'limit=0', 'cursor=x'])('refuses %s', async (query) => {
    expect((await user.get(`/operations?${query}`)).status).toBe(422)
  })
})

describe('POST /operations/{operation_id}/retry', () => {
  it('has what failed relayed: looked for first, sent if it is not there', async () => {
    const { message_ids } = await failedMessage()
    const [operation] = await operations()
    const path = `/operations/${operation.operation_id}/retry`
    const answer = await user.post(path)
    expect(answer.status).toBe(202)
    expect(answer.body).toEqual({ operation_id: operation.operation_id, status: 'stored' })
    await relayQueued(backend, user)
    expect(await statesOf(user, 'chat:1')).toEqual(['accumulated'])
    const session = await newestSession(backend, user)
    expect(heldTexts(backend, session.upstreamSessionId)).toEqual(['One.'])
    expect(message_ids).toHaveLength(1)
    expect(await operations()).toEqual([])
    expect((await user.post(path)).status).toBe(409)
  })

  it("answers for what is not there as for what is not the caller's", async () => {
    await failedMessage()
    const [operation] = await operations()
    const other = await createUser(backend.gateway.url, undefined, admin)
    const foreign = await other.post(`/operations/${operation.operation_id}/retry`)
    const unknown = await other.post('/operations/bat_unknown/retry')
    expect([foreign.status, unknown.status]).toEqual([404, 404])
    expect(foreign.body.error.message).toBe(unknown.body.error.message)
  })
})

describe('the operator', () => {
  it('sees the operations of all users, and has any tried again', async () => {
    await failedMessage()
    const { body } = await call(`${backend.gateway.url}/admin/operations?status=failed&limit=200`, { headers: admin })
    const mine = body.operations.find(({ user_id }: { user_id: string }) => user_id === user.id)
    expect(mine).toMatchObject({ status: 'failed', session_id: 'chat:1' })
    const retry = await call(`${backend.gateway.url}/admin/operations/${mine.operation_id}/retry`, {
      method: 'POST',
      headers: admin,
    })
    expect(retry.status).toBe(202)
    expect(await operations('?status=failed')).toEqual([])
    const unknown = await call(`${backend.gateway.url}/admin/operations/bat_unknown/retry`, {
      method: 'POST',
      headers: admin,
    })
    expect(unknown.status).toBe(404)
  })

  it('is refused without the admin key, before the request is looked at', async () => {
    for (const headers of [{}, { authorization: `Bearer ${user.key}` }, { authorization: `Bearer ${ADMIN_KEY}x` }]) {
      const answer = await call(`${backend.gateway.url}/admin/operations?nonsense=1`, { headers })
      expect(answer.status).toBe(401)
    }
  })
})
