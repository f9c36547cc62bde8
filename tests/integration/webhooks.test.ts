import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { revokeApiKey } from '../../src/domain/accounts/revoke-api-key.ts'
import { archiveMemories, deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import { expireMemories } from '../../src/domain/memories/expire-memories.ts'
import { userScope } from '../../src/domain/memories/memory-scope.ts'
import { searchMemories } from '../../src/domain/memories/search-memories.ts'
import { updateMemory } from '../../src/domain/memories/update-memory.ts'
import { emitRateLimitedInBackground } from '../../src/domain/webhooks/emit-rate-limited.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { makeManager, remember, TestManager } from '../helpers/org.ts'
import { eventually, type Reaction, type Received, type Receiver, startReceiver, verify } from '../helpers/receiver.ts'
import { serviceContextOf, systemContextOf } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway({ WEBHOOK_ALLOW_PRIVATE: 'true' })
})
afterAll(() => gateway.close())

const receivers: Receiver[] = []
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.close()
})
async function listen(react?: (request: Received, count: number) => Reaction): Promise<Receiver> {
  const receiver = await startReceiver(react)
  receivers.push(receiver)
  return receiver
}

const created = ['memory.created']
const QUICK = { initial_delay_seconds: 1, max_retries: 1 }

function delivery(me: TestManager, webhookId: number, status: string) {
  return eventually(async () => {
    const { body } = await me.get(`/org/webhooks/${webhookId}/deliveries/latest`)
    return body?.status === status && body
  }, `a delivery that is ${status}`)
}

describe('a webhook', () => {
  it('is told of a memory, signed, once', async () => {
    const [me, receiver] = [await makeManager(gateway), await listen()]
    const hook = await me.webhook(`${receiver.url}/hook`, created)
    const { memory } = await remember(gateway, me, 'Prefers dark mode', { tags: ['ui'], metadata: { a: 1 } })
    const [request] = await receiver.until(1)
    expect(request && verify(request, hook.secret)).toBe(true)
    expect(request && verify(request, `${hook.secret}x`)).toBe(false)
    expect(request?.event).toMatchObject({
      id: expect.stringMatching(/^evt_/),
      type: 'memory.created',
      project_id: 'default',
      end_user_id: 'ada@example.com',
      data: {
        id: memory.number,
        memory_id: memory.id,
        text: 'Prefers dark mode',
        tags: ['ui'],
        metadata: { a: 1 },
        created_at: memory.createdAt.toISOString(),
      },
    })
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-webhook-event': 'memory.created',
      'x-webhook-event-id': request?.event.id,
      'x-webhook-attempt': '1',
      'user-agent': expect.stringContaining('memory-gateway'),
    })
    expect(await delivery(me, hook.id, 'delivered')).toMatchObject({
      id: Number(request?.headers['x-webhook-delivery-id']),
      status_code: 200,
      attempt_number: 1,
      error_message: null,
      next_retry_at: null,
      completed_at: expect.any(String),
    })
    expect(receiver.received).toHaveLength(1)
  })

  it('is told of changes, deletions, archiving and searches, in the words of the API', async () => {
    const [me, receiver] = [await makeManager(gateway), await listen()]
    await me.webhook(receiver.url, ['memory.updated', 'memory.deleted', 'memory.queried'])
    const { ctx, memory } = await remember(gateway, me, 'Lives in Lisbon')
    const { memory: other } = await remember(gateway, me, 'Has a cat')
    const scope = userScope(ctx, ctx.caller.userId)
    await updateMemory(ctx, scope, memory.id, { content: 'Lives in Porto' })
    await searchMemories(ctx, scope, { query: 'Porto', limit: 3 })
    await receiver.until(2)
    await deleteMemories(ctx, scope, [memory.id])
    await archiveMemories(ctx, scope, [other.id])
    const requests = await receiver.until(4)
    const said = (type: string) => requests.filter(({ event }) => event.type === type).map(({ event }) => event.data)
    expect(said('memory.updated')).toMatchObject([{ id: memory.number, text: 'Lives in Porto' }])
    expect(said('memory.queried')).toMatchObject([{ query: 'Porto', count: 1, ids: [memory.number] }])
    expect(said('memory.deleted')).toHaveLength(2)
    expect(said('memory.deleted')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: memory.number, reason: 'deleted' }),
        expect.objectContaining({ id: other.number, reason: 'archived' }),
      ]),
    )
    expect(said('memory.deleted')[0]).not.toHaveProperty('text')
  })

  it('is told of a memory whose time is over', async () => {
    const [me, receiver] = [await makeManager(gateway), await listen()]
    await me.webhook(receiver.url, ['memory.deleted'])
    const { memory } = await remember(gateway, me, 'Gone soon', { expiresAt: new Date(Date.now() - 1) })
    await expireMemories(systemContextOf(gateway))
    const [request] = await receiver.until(1)
    expect(request?.event).toMatchObject({
      end_user_id: 'ada@example.com',
      data: { memory_id: memory.id, reason: 'expired' },
    })
  })

  it('is told once of a limit that its account hit, not of each request that is refused', async () => {
    const [me, receiver] = [await makeManager(gateway), await listen()]
    const hook = await me.webhook(receiver.url, ['api.rate_limited'])
    ;(gateway.services.plans as Map<string, object>).set('tight', { requestsPerMonth: 1 })
    const { secret } = await createApiKey(systemContextOf(gateway), me.accountId, { name: 'k', plan: 'tight' })
    const limited = new TestManager(gateway.url, secret, me.accountId)
    const statuses = []
    for (let count = 0; count < 4; count++) statuses.push((await limited.get('/auth/me')).status)
    expect(statuses).toEqual([200, 429, 429, 429])
    const [request] = await receiver.until(1)
    expect(request?.event.data).toMatchObject({ metric: 'requests', period: 'month', limit: 1 })
    expect((await me.get(`/org/webhooks/${hook.id}/deliveries`)).body.total).toBe(1)
  })

  it('is told of keys, without the key, and of a limit', async () => {
    const [me, receiver] = [await makeManager(gateway), await listen()]
    await me.webhook(receiver.url, ['api_key.created', 'api_key.revoked', 'api.rate_limited'])
    const operator = systemContextOf(gateway)
    const made = await createApiKey(operator, me.accountId, { name: 'second' })
    await revokeApiKey(operator, me.accountId, made.id)
    const ctx = await serviceContextOf(gateway, me.key)
    emitRateLimitedInBackground(ctx, { metric: 'requests', period: 'minute', limit: 60, retryAfter: 9 })
    const requests = await receiver.until(3)
    const said = Object.fromEntries(requests.map(({ event }) => [event.type, event.data]))
    expect(said).toMatchObject({
      'api_key.created': { id: made.number, key_id: made.id, name: 'second' },
      'api_key.revoked': { id: made.number, revoked_at: expect.any(String) },
      'api.rate_limited': { key_id: ctx.service.keyId, metric: 'requests', limit: 60, retry_after_seconds: 9 },
    })
    expect(JSON.stringify(said)).not.toContain(made.secret)
  })

  it('hears only of what it asked for, of its project, and of its account', async () => {
    const [me, stranger, receiver] = [await makeManager(gateway), await makeManager(gateway), await listen()]
    await me.webhook(`${receiver.url}/all`, created)
    await me.webhook(`${receiver.url}/one`, created, { project_id: 'one' })
    await me.webhook(`${receiver.url}/updates`, ['memory.updated'])
    await stranger.webhook(`${receiver.url}/stranger`, created)
    await remember(gateway, me, 'In the first project', { projectId: 'one' })
    await remember(gateway, me, 'In the second project', { projectId: 'two' })
    await receiver.until(2, '/all')
    await receiver.until(1, '/one')
    await remember(gateway, stranger, 'Of somebody else')
    await receiver.until(1, '/stranger')
    expect(receiver.received.map(({ path, event }) => `${path} ${event.data.text}`).toSorted()).toEqual([
      '/all In the first project',
      '/all In the second project',
      '/one In the first project',
      '/stranger Of somebody else',
    ])
  })

  it('signs by the headers and the algorithm of its settings, and by a new secret at once', async () => {
    const [me, receiver] = [await makeManager(gateway), await listen()]
    const hook = await me.webhook(receiver.url, created, {
      signature_config: { algorithm: 'hmac-sha512', header_name: 'X-Signed', timestamp_header: 'X-Signed-At' },
    })
    const names = { signature: 'x-signed', timestamp: 'x-signed-at' }
    await remember(gateway, me, 'First thing')
    const [first] = await receiver.until(1)
    expect(first && verify(first, hook.secret, names, 'sha512')).toBe(true)
    const { body: rotated } = await me.post(`/org/webhooks/${hook.id}/rotate-secret`)
    expect(rotated.secret).not.toBe(hook.secret)
    await remember(gateway, me, 'Second thing')
    const [, second] = await receiver.until(2)
    expect(second && verify(second, rotated.secret, names, 'sha512')).toBe(true)
    expect(second && verify(second, hook.secret, names, 'sha512')).toBe(false)
  })

  it('that is paused hears nothing, and gets what waited when it is resumed', async () => {
    const [me, receiver] = [
      await makeManager(gateway),
      await listen((_, count) => ({ status: count === 1 ? 503 : 200 })),
    ]
    const hook = await me.webhook(receiver.url, created, { retry_config: QUICK })
    await remember(gateway, me, 'Before the pause')
    await delivery(me, hook.id, 'retrying')
    expect((await me.post(`/org/webhooks/${hook.id}/pause`)).body.enabled).toBe(false)
    await remember(gateway, me, 'During the pause')
    // The job of the second attempt comes and goes.
    await eventually(async () => {
      const { body } = await me.get(`/org/webhooks/${hook.id}/deliveries/latest`)
      return new Date(body.next_retry_at).getTime() + 1_500 < Date.now()
    }, 'the second attempt is overdue')
    expect(receiver.received).toHaveLength(1)
    expect((await me.post(`/org/webhooks/${hook.id}/resume`)).body.enabled).toBe(true)
    const [first, second] = await receiver.until(2)
    expect(second?.event).toEqual(first?.event)
    await delivery(me, hook.id, 'delivered')
    expect((await me.get(`/org/webhooks/${hook.id}/deliveries`)).body.total).toBe(1)
  })

  it('that is deleted hears nothing more', async () => {
    const [me, receiver] = [await makeManager(gateway), await listen(() => ({ status: 503 }))]
    const hook = await me.webhook(`${receiver.url}/gone`, created, { retry_config: QUICK })
    await remember(gateway, me, 'Something')
    await delivery(me, hook.id, 'retrying')
    expect((await me.send('DELETE', `/org/webhooks/${hook.id}`)).status).toBe(204)
    await me.webhook(`${receiver.url}/other`, created, { retry_config: QUICK })
    await remember(gateway, me, 'Something else')
    // The other's second attempt comes after the first one's would have.
    await receiver.until(2, '/other')
    expect(receiver.received.filter(({ path }) => path === '/gone')).toHaveLength(1)
    expect((await me.get(`/org/webhooks/${hook.id}/deliveries`)).status).toBe(404)
  })
})

describe('a delivery', () => {
  it('that fails is made again, with the same event, and no sooner than the receiver asks', async () => {
    const me = await makeManager(gateway)
    const receiver = await listen((_, count) =>
      count === 1 ? { status: 429, headers: { 'retry-after': '2' }, body: 'busy' } : { status: 204 },
    )
    const hook = await me.webhook(receiver.url, created, { retry_config: QUICK })
    await remember(gateway, me, 'Prefers tea')
    expect(await delivery(me, hook.id, 'retrying')).toMatchObject({
      status_code: 429,
      response_body: 'busy',
      error_message: 'The receiver answered 429.',
      attempt_number: 1,
      max_attempts: 2,
      next_retry_at: expect.any(String),
      completed_at: null,
    })
    const [first, second] = await receiver.until(2)
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_900)
    expect(second?.event).toEqual(first?.event)
    expect(second?.headers['x-webhook-attempt']).toBe('2')
    await delivery(me, hook.id, 'delivered')
  })

  it('is given up at last, can be tried anew, and be replayed', async () => {
    let status = 500
    const [me, receiver] = [await makeManager(gateway), await listen(() => ({ status }))]
    const hook = await me.webhook(receiver.url, created, { retry_config: QUICK })
    await remember(gateway, me, 'Prefers tea')
    const dead = await delivery(me, hook.id, 'dead_letter')
    expect(dead).toMatchObject({ status_code: 500, attempt_number: 2, completed_at: expect.any(String) })
    expect(receiver.received).toHaveLength(2)
    expect((await me.get(`/org/webhooks/${hook.id}`)).body).toMatchObject({
      failed_deliveries: 1,
      consecutive_failures: 1,
      success_rate: 0,
      last_status_code: 500,
      enabled: true,
    })

    status = 200
    const { body: replay } = await me.post(`/org/webhooks/${hook.id}/replay`, { since_minutes: 60 })
    expect(replay).toMatchObject({ endpoint_id: hook.id, eligible: 1, replayed: 1, skipped: 0 })
    const [, , third] = await receiver.until(3)
    expect(third?.event.id).toBe(dead.event_id)
    expect(replay.delivery_ids).toEqual([Number(third?.headers['x-webhook-delivery-id'])])

    expect((await me.post(`/org/webhooks/deliveries/${dead.id}/retry`)).body).toMatchObject({
      status: 'pending',
      attempt_number: 0,
    })
    const [, , , fourth] = await receiver.until(4)
    expect(fourth?.event.id).toBe(dead.event_id)
    await eventually(async () => {
      const { body } = await me.get(`/org/webhooks/deliveries/${dead.id}`)
      return body.status === 'delivered'
    }, 'the delivery that was tried anew arrives')
    expect((await me.post(`/org/webhooks/deliveries/${dead.id}/retry`)).status).toBe(409)
  })

  it('that waits is made at once, if that is asked for', async () => {
    const me = await makeManager(gateway)
    const receiver = await listen((_, count) =>
      count === 1 ? { status: 503, headers: { 'retry-after': '600' } } : { status: 200 },
    )
    const hook = await me.webhook(receiver.url, created, { retry_config: QUICK })
    await remember(gateway, me, 'Prefers tea')
    const { id } = await delivery(me, hook.id, 'retrying')
    expect((await me.post(`/org/webhooks/deliveries/${id}/retry`)).status).toBe(200)
    await receiver.until(2)
    expect(await delivery(me, hook.id, 'delivered')).toMatchObject({ id, attempt_number: 1 })
  })

  it.each([400, 404, 410, 301, 307])('that is answered %i is given up at once', async (status) => {
    const inner = await listen()
    const me = await makeManager(gateway)
    const receiver = await listen(() => ({ status, headers: { location: `${inner.url}/secret` } }))
    const hook = await me.webhook(receiver.url, created, { retry_config: QUICK })
    await remember(gateway, me, 'Prefers tea')
    expect(await delivery(me, hook.id, 'dead_letter')).toMatchObject({ attempt_number: 1, status_code: status })
    expect(inner.received).toEqual([])
  })

  it('to nobody is tried again', async () => {
    const me = await makeManager(gateway)
    const hook = await me.webhook('http://127.0.0.1:1/', created, { retry_config: QUICK })
    await remember(gateway, me, 'Prefers tea')
    expect(await delivery(me, hook.id, 'retrying')).toMatchObject({
      status_code: null,
      error_message: 'The host refused the connection.',
    })
  })

  it('to one who hangs keeps neither the call nor other webhooks waiting', async () => {
    const [me, other] = [await makeManager(gateway), await makeManager(gateway)]
    const [hanging, receiver] = [await listen(() => 'hang'), await listen()]
    await me.webhook(hanging.url, created)
    await other.webhook(receiver.url, created)
    const start = Date.now()
    for (let count = 0; count < 20; count++) await remember(gateway, me, `Thing number ${count} that is stored`)
    expect(Date.now() - start).toBeLessThan(20_000)
    await hanging.until(2)
    await remember(gateway, other, 'Prefers tea')
    await receiver.until(1)
    // Of the hanging one's deliveries only some are at work: 3, and what connections took that looked at the same moment.
    expect(hanging.received.length).toBeLessThanOrEqual(5)
    expect((await other.get('/org/webhooks')).body.endpoints[0].total_deliveries).toBe(1)
  })

  it('goes without the words of a memory that was deleted since', async () => {
    let status = 503
    const [me, receiver] = [await makeManager(gateway), await listen(() => ({ status }))]
    const hook = await me.webhook(receiver.url, created, { retry_config: QUICK })
    const { ctx, memory } = await remember(gateway, me, 'A secret that goes', { tags: ['private'] })
    await receiver.until(1)
    status = 200
    await deleteMemories(ctx, userScope(ctx, ctx.caller.userId), [memory.id])
    const [, second] = await receiver.until(2)
    expect(second?.event.data).toMatchObject({ id: memory.number, memory_id: memory.id })
    expect(second?.text).not.toMatch(/secret|private/)
    expect(second && verify(second, hook.secret)).toBe(true)
    expect(JSON.stringify((await me.get(`/org/webhooks/${hook.id}/deliveries`)).body)).not.toMatch(/secret|private/)
  })
})
