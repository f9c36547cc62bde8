import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, createUser, TestUser } from '../helpers/client.ts'
import { sharedGateway, startGateway, type TestGateway } from '../helpers/gateway.ts'

let base: string

beforeAll(async () => {
  base = (await sharedGateway()).url
})

function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  return call(`${url}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

const freshId = () => `user_${randomBytes(6).toString('hex')}`

describe('POST /users', () => {
  it('creates a user and shows their key', async () => {
    const id = freshId()
    const { status, body } = await post(base, { user_id: id })
    expect(status).toBe(201)
    expect(body).toEqual({
      user_id: id,
      user_key: expect.stringMatching(/^uk_[A-Za-z0-9_-]{49}$/),
      created_at: expect.any(String),
    })
    expect(Math.abs(Date.parse(body.created_at) - Date.now())).toBeLessThan(60_000)
    expect((await new TestUser(base, id, body.user_key).get('/resources')).status).toBe(200)
  })

  it('refuses a taken user_id, and leaves its owner alone', async () => {
    const user = await createUser(base)
    const { status, body } = await post(base, { user_id: user.id })
    expect(status).toBe(409)
    expect(body.error.code).toBe('conflict')
    expect(JSON.stringify(body)).not.toContain('uk_')
    expect((await user.get('/resources')).status).toBe(200)
  })

  it('gives one of many who ask for the same user_id at once the user', async () => {
    const id = freshId()
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(base, { user_id: id })))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(7)
  })

  it.each([
    ['none', {}],
    ['an empty one', { user_id: '' }],
    ['a number', { user_id: 7 }],
    ['one with a slash', { user_id: 'a/b' }],
    ['one with a space', { user_id: 'a b' }],
    ['a path upwards', { user_id: '..' }],
    ['one with NUL', { user_id: 'a\0b' }],
    ['a lone surrogate', { user_id: 'a\ud800' }],
    ['129 characters', { user_id: 'a'.repeat(129) }],
  ])('refuses as user_id %s', async (_what, body) => {
    const answer = await post(base, body)
    expect(answer.status).toBe(422)
    expect(answer.body.error).toMatchObject({ code: 'invalid_request', details: { fields: [{ path: 'user_id' }] } })
  })

  it('refuses unknown properties', async () => {
    const answer = await post(base, { user_id: freshId(), is_admin: true })
    expect(answer.status).toBe(422)
    expect(answer.body.error.message).toContain('is_admin')
  })

  it('refuses a body that is no JSON, or not declared so', async () => {
    const headers = { 'content-type': 'application/json' }
    const broken = await call(`${base}/users`, { method: 'POST', headers, body: '{"user_id":' })
    expect(broken).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } })
    const form = await call(`${base}/users`, { method: 'POST', body: new URLSearchParams({ user_id: freshId() }) })
    expect(form).toMatchObject({ status: 415, body: { error: { code: 'unsupported_media_type' } } })
  })

  it('refuses a body of more than 64 KiB', async () => {
    const answer = await post(base, { user_id: 'a'.repeat(70_000) })
    expect(answer).toMatchObject({ status: 413, body: { error: { code: 'payload_too_large' } } })
  })
})

describe('keys of a user', () => {
  it('work side by side, and each ends by itself', async () => {
    const first = await createUser(base)
    const made = await first.post(`/users/${first.id}/keys`)
    expect(made.status).toBe(201)
    const second = new TestUser(base, first.id, made.body.user_key)
    expect((await second.get('/resources')).status).toBe(200)
    expect((await first.get('/resources')).status).toBe(200)

    expect((await second.delete(`/users/${first.id}/keys/${made.body.key_id}`)).status).toBe(204)
    expect((await second.get('/resources')).status).toBe(401)
    expect((await first.get('/resources')).status).toBe(200)
  })

  it('are listed by prefix and last use, never whole', async () => {
    const user = await createUser(base)
    const { body: made } = await user.post(`/users/${user.id}/keys`)
    const { status, body, headers } = await user.get(`/users/${user.id}/keys`)
    expect(status).toBe(200)
    expect(body.keys).toHaveLength(2)
    // Two that are made in the same millisecond come in either order.
    const listed = (keys: { prefix: string }[], secret: string) =>
      keys.find(({ prefix }) => prefix === secret.slice(0, 10)) as { last_used_at?: string } | undefined
    expect([listed(body.keys, user.key), listed(body.keys, made.user_key)]).toEqual([
      {
        key_id: expect.stringMatching(/^key_/),
        prefix: user.key.slice(0, 10),
        created_at: expect.any(String),
        last_used_at: expect.any(String),
        expires_at: null,
      },
      {
        key_id: made.key_id,
        prefix: made.user_key.slice(0, 10),
        created_at: expect.any(String),
        last_used_at: null,
        expires_at: null,
      },
    ])
    const text = JSON.stringify([body, [...headers]])
    expect(text).not.toContain(user.key)
    expect(text).not.toContain(made.user_key)

    await new TestUser(base, user.id, made.user_key).get('/resources')
    const { body: later } = await user.get(`/users/${user.id}/keys`)
    expect(Date.parse(listed(later.keys, made.user_key)?.last_used_at ?? '')).toBeGreaterThan(Date.now() - 60_000)
  })

  it('are not listed once revoked, and cannot be revoked twice', async () => {
    const user = await createUser(base)
    const { body: made } = await user.post(`/users/${user.id}/keys`)
    await user.delete(`/users/${user.id}/keys/${made.key_id}`)
    const { body } = await user.get(`/users/${user.id}/keys`)
    expect(body.keys.map(({ prefix }: { prefix: string }) => prefix)).toEqual([user.key.slice(0, 10)])
    expect((await user.delete(`/users/${user.id}/keys/${made.key_id}`)).status).toBe(404)
  })

  it('include the one in use: whoever revokes it is out at once', async () => {
    const user = await createUser(base)
    const { body } = await user.get(`/users/${user.id}/keys`)
    expect((await user.delete(`/users/${user.id}/keys/${body.keys[0].key_id}`)).status).toBe(204)
    expect((await user.get(`/users/${user.id}/keys`)).status).toBe(401)
    expect((await post(base, { user_id: user.id })).status).toBe(409)
  })
})

describe('with an admin key', () => {
  const adminKey = 'an-admin-key-for-tests'
  let gateway: TestGateway

  beforeAll(async () => {
    gateway = await startGateway({ GATEWAY_ADMIN_KEY: adminKey })
  })
  afterAll(() => gateway.close())

  it('creates users for its holder alone', async () => {
    const id = freshId()
    for (const authorization of [undefined, 'Bearer wrong-admin-key-123', `Bearer ${adminKey}x`, `Basic ${adminKey}`]) {
      const refused = await post(gateway.url, { user_id: id }, authorization === undefined ? {} : { authorization })
      expect(refused).toMatchObject({ status: 401, body: { error: { code: 'unauthenticated' } } })
      expect(JSON.stringify(refused.body)).not.toContain(adminKey)
    }
    const made = await post(gateway.url, { user_id: id }, { authorization: `Bearer ${adminKey}` })
    expect(made.status).toBe(201)
    const user = new TestUser(gateway.url, id, made.body.user_key)
    expect((await user.get('/resources')).status).toBe(200)
    const byUser = await post(gateway.url, { user_id: freshId() }, { authorization: `Bearer ${user.key}` })
    expect(byUser.status).toBe(401)
  })

  it('is no user key', async () => {
    expect((await new TestUser(gateway.url, 'x', adminKey).get('/resources')).status).toBe(401)
  })
})
