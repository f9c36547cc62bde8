import { randomUUID } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { idempotencyKeys } from '../../src/db/schema/idempotency-keys.ts'
import { messages } from '../../src/db/schema/messages.ts'
import { ERASED } from '../../src/domain/idempotency/queries.ts'
import { type Answer, call, createUser, TestUser, until } from '../helpers/client.ts'
import { startFakeEveros } from '../helpers/fake-everos.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { readApiDocument } from '../helpers/openapi-check.ts'
import { rowsOf, sessionsOf } from '../helpers/stored.ts'

let gateway: TestGateway
let user: TestUser
let key: string

beforeAll(async () => {
  gateway = await startGateway({ MAX_UPLOADS_PER_USER: '100', MAX_UPLOADS: '100' })
})
afterAll(() => gateway.close())
beforeEach(async () => {
  user = await createUser(gateway.url)
  key = randomUUID()
})

const once = () => ({ 'idempotency-key': key })
const inline = (text = 'Once.') => ({ session_id: 'chat:1', messages: [{ role: 'user', content: text }] })
const file = (bytes: string) => ({ field: 'note', name: 'note.txt', bytes: Buffer.from(bytes) })

function addFile(bytes = 'A file.', headers = once()) {
  const messages = JSON.stringify([{ role: 'user', timestamp: 5, content: [{ type: 'doc', upload_id: 'note' }] }])
  return user.upload('/memories/add/multipart', { session_id: 'chat:1', messages }, [file(bytes)], { headers })
}

function expectRepeated(first: Answer, again: Answer) {
  expect(again.status, JSON.stringify(again.body)).toBe(first.status)
  expect(again.body).toEqual(first.body)
  expect(first.headers.get('idempotent-replayed')).toBeNull()
  expect(again.headers.get('idempotent-replayed')).toBe('true')
}

describe('a write that is repeated with its Idempotency-Key', () => {
  it('adds JSON messages once', async () => {
    const first = await user.post('/memories/add', inline(), once())
    expect(first.status).toBe(200)
    expectRepeated(first, await user.post('/memories/add', inline(), once()))
    expect(await rowsOf(gateway, user)).toMatchObject({ batches: 1, messages: 1 })
  })

  it('adds messages with files once, although the multipart boundary differs', async () => {
    const first = await addFile()
    expect(first.status).toBe(200)
    expectRepeated(first, await addFile())
    expect(await rowsOf(gateway, user)).toMatchObject({ batches: 1, attachments: 1 })
  })

  it('adds a resource once, changes, retries and deletes it once', async () => {
    const add = () =>
      user.upload('/resources', { title: 'T' }, [{ ...file('A file.'), field: 'file' }], { headers: once() })
    const first = await add()
    expect(first.status).toBe(201)
    expectRepeated(first, await add())
    const path = `/resources/${first.body.resource_id}`
    const change = await user.send('PATCH', path, { title: 'U' }, once())
    expect(change.body.title).toBe('U')
    await user.send('PATCH', path, { title: 'V' })
    expectRepeated(change, await user.send('PATCH', path, { title: 'U' }, once()))
    expect((await user.get(path)).body.title).toBe('V')
    const deletion = await user.send('DELETE', path, undefined, once())
    expect(deletion.status).toBe(204)
    const again = await user.send('DELETE', path, undefined, once())
    expectRepeated(deletion, again)
    expect(again.headers.get('location')).toBe(deletion.headers.get('location'))
    expect((await user.delete(path)).status).toBe(404)
  })

  it('flushes and deletes a session once', async () => {
    await user.post('/memories/add', inline())
    const flush = () => user.post('/memories/flush', { session_id: 'chat:1' }, once())
    const first = await flush()
    expect(first.body.backend.data.status).toBe('extracted')
    expectRepeated(first, await flush())
    const remove = () => user.send('DELETE', '/sessions/chat:1', undefined, once())
    expectRepeated(await remove(), await remove())
  })

  it('makes a user and a key once, and gives the same secret again', async () => {
    const id = `user_${randomUUID()}`
    const make = () =>
      call(`${gateway.url}/users`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...once() },
        body: JSON.stringify({ user_id: id }),
      })
    const first = await make()
    expect(first.status).toBe(201)
    expectRepeated(first, await make())
    const owner = new TestUser(gateway.url, id, first.body.user_key)
    const another = await owner.post(`/users/${id}/keys`, undefined, once())
    expectRepeated(another, await owner.post(`/users/${id}/keys`, undefined, once()))
    const revoke = () => owner.send('DELETE', `/users/${id}/keys/${another.body.key_id}`, undefined, once())
    expectRepeated(await revoke(), await revoke())
  })

  it('is another one on another route, and for another user', async () => {
    const other = await createUser(gateway.url)
    const [first, flushed, others] = [
      await user.post('/memories/add', inline(), once()),
      await user.post('/memories/flush', { session_id: 'chat:1' }, once()),
      await other.post('/memories/add', inline(), once()),
    ]
    expect([first.status, flushed.status, others.status]).toEqual([200, 200, 200])
    expect(others.headers.get('idempotent-replayed')).toBeNull()
    expect(others.body.message_ids).not.toEqual(first.body.message_ids)
  })

  it.each([
    ['another body', () => user.post('/memories/add', inline('Other.'), once())],
    ['another path', () => user.post('/memories/add?x=1', inline(), once())],
  ])('is refused with %s', async (_what, send) => {
    await user.post('/memories/add', inline(), once())
    const answer = await send()
    expect(answer.status).toBe(422)
    expect(answer.body.error.message).toMatch(/Idempotency-Key/)
    expect(await rowsOf(gateway, user)).toMatchObject({ batches: 1 })
  })

  it('is refused with another file', async () => {
    await addFile()
    expect((await addFile('Another file.')).status).toBe(422)
  })

  it('may be sent again after a failure, which has no effect', async () => {
    const failed = await user.post('/memories/flush', { session_id: 'chat:1' }, once())
    expect(failed.status).toBe(404)
    await user.post('/memories/add', inline())
    const again = await user.post('/memories/flush', { session_id: 'chat:1' }, once())
    expect(again.status).toBe(200)
    expect(again.headers.get('idempotent-replayed')).toBeNull()
  })

  it('is refused like any other for messages that are no messages', async () => {
    const messages = '['.repeat(100_000) + ']'.repeat(100_000)
    const answer = await user.upload('/memories/add/multipart', { session_id: 'chat:1', messages }, [], {
      headers: once(),
    })
    expect(answer.status).toBe(422)
  })

  it.each(['', 'with space', 'ümlaut'.normalize(), 'x'.repeat(256)])('refuses the key "%s"', async (wrong) => {
    const answer = await user.post('/memories/add', inline(), { 'idempotency-key': wrong })
    expect(answer.status).toBe(422)
    expect(answer.body.error.message).toMatch(/Idempotency-Key/)
  })
})

it('has one effect of many at once, and the same answer for all', async () => {
  const sendAll = () => Promise.all(Array.from({ length: 50 }, () => addFile()))
  const answers = await sendAll()
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]))
  for (const { headers } of answers.filter(({ status }) => status === 409)) expect(headers.get('retry-after')).toBe('1')
  expect(await rowsOf(gateway, user)).toMatchObject({ batches: 1, messages: 1, attachments: 1 })
  const done = answers.find(({ status }) => status === 200)
  for (const again of await sendAll()) expect(again.body).toEqual(done?.body)
})

it('declares the header and its conflicts for every write', async () => {
  const response = await fetch(`${gateway.url}/openapi.json`)
  const document = (await response.json()) as {
    paths: Record<string, Record<string, { operationId: string; parameters?: { name: string }[]; responses: object }>>
  }
  for (const path of Object.values(document.paths)) {
    for (const [method, { operationId, parameters = [], responses }] of Object.entries(path)) {
      const isWrite = method !== 'get' && operationId !== 'searchMemories'
      expect(
        parameters.some(({ name }) => name === 'Idempotency-Key'),
        operationId,
      ).toBe(isWrite)
      if (isWrite) expect(responses, operationId).toHaveProperty('409')
    }
  }
  expect((await readApiDocument(gateway.url)).routes.length).toBeGreaterThan(20)
})

describe('what is kept of it', () => {
  it('is neither the key nor anything of the answer in plain text', async () => {
    const { body } = await user.post(`/users/${user.id}/keys`, undefined, once())
    await addFile('A file of words.', { 'idempotency-key': `${key}-file` })
    const rows = JSON.stringify(await gateway.services.db.select().from(idempotencyKeys))
    for (const secret of [key, body.user_key, 'note.txt']) expect(rows).not.toContain(secret)
  })

  it('does not show, or bring back, what was deleted since', async () => {
    const first = await addFile()
    await user.delete('/sessions/chat:1')
    const again = await addFile()
    expect(again.status).toBe(404)
    expect(again.body.error.message).toMatch(/deleted/)
    expect(JSON.stringify(again.body)).not.toContain(first.body.message_ids[0])
    expect(await rowsOf(gateway, user)).toMatchObject({ batches: 0, messages: 0 })
    const rows = await gateway.services.db.select().from(idempotencyKeys).where(eq(idempotencyKeys.answer, ERASED))
    expect(rows.length).toBeGreaterThan(0)
  })

  it('does not show, or bring back, a user who was erased since', async () => {
    const id = `user_${randomUUID()}`
    const make = () =>
      call(`${gateway.url}/users`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...once() },
        body: JSON.stringify({ user_id: id }),
      })
    const first = await make()
    const owner = new TestUser(gateway.url, id, first.body.user_key)
    const erasure = await owner.delete(`/users/${id}`)
    expect((await make()).status).toBe(404)
    await until(
      () => call(`${gateway.url}/erasures/${erasure.body.erasure_id}`),
      ({ body }) => body.status === 'done',
    )
    const again = await make()
    expect(again.status).toBe(404)
    expect(again.body.error.message).toMatch(/deleted/)
  })

  it('is over after 24 hours', async () => {
    const first = await user.post('/memories/add', inline(), once())
    await gateway.services.db
      .update(idempotencyKeys)
      .set({ createdAt: sql`now() - interval '25 hours'` })
      .where(eq(idempotencyKeys.batchId, await batchOf(first)))
    const later = await user.post('/memories/add', inline('Something else.'), once())
    expect(later.status).toBe(200)
    expect(later.body.message_ids).not.toEqual(first.body.message_ids)
  })

  it('is given up with a process that died before it had an effect', async () => {
    await user.post('/memories/add', inline(), once())
    await gateway.services.db
      .update(idempotencyKeys)
      .set({ answer: null, claimToken: 'dead', claimedUntil: sql`now() + interval '15 seconds'` })
      .where(eq(idempotencyKeys.sessionId, await sessionOf()))
    expect((await user.post('/memories/add', inline(), once())).status).toBe(409)
    await gateway.services.db
      .update(idempotencyKeys)
      .set({ claimedUntil: sql`now() - interval '1 second'` })
      .where(eq(idempotencyKeys.claimToken, 'dead'))
    const taken = await user.post('/memories/add', inline(), once())
    expect(taken.status).toBe(200)
    expect(taken.headers.get('idempotent-replayed')).toBeNull()
  })

  it('is the answer of a process that died after the effect', async () => {
    const first = await user.post('/memories/add', inline(), once())
    await gateway.services.db
      .update(idempotencyKeys)
      .set({ claimToken: 'dead', claimedUntil: sql`now() - interval '1 second'` })
      .where(eq(idempotencyKeys.sessionId, await sessionOf()))
    expectRepeated(first, await user.post('/memories/add', inline(), once()))
  })

  async function sessionOf(): Promise<string> {
    const [session] = await sessionsOf(gateway, user)
    return session?.id ?? ''
  }

  async function batchOf({ body }: Answer): Promise<string> {
    const rows = await gateway.services.db.select().from(messages).where(eq(messages.id, body.message_ids[0]))
    return rows[0]?.batchId ?? ''
  }
})

describe('with a backend that is slow or refuses', () => {
  it('repeats 409 while the first request waits, and its last answer afterwards', async () => {
    const fake = await startFakeEveros()
    const slow = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: fake.url, RELAY_WAIT_MS: '20000' })
    try {
      const caller = await createUser(slow.url)
      fake.delay('add', 1_500)
      const first = caller.post('/memories/add', inline(), once())
      await until(
        async () => fake.requests.filter(({ path }) => path.endsWith('/add')).length,
        (count) => count === 1,
      )
      const meanwhile = await caller.post('/memories/add', inline(), once())
      expect(meanwhile.status).toBe(409)
      const answer = await first
      expectRepeated(answer, await caller.post('/memories/add', inline(), once()))
    } finally {
      await slow.close()
      await fake.close()
    }
  })

  it('forgets a request of which nothing was kept', async () => {
    const fake = await startFakeEveros()
    const strict = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: fake.url })
    try {
      const caller = await createUser(strict.url)
      fake.failNext('add', { status: 422, code: 'INVALID_INPUT' })
      const refused = await caller.post('/memories/add', inline(), once())
      expect(refused.status).toBe(422)
      const again = await caller.post('/memories/add', inline(), once())
      expect(again.status).toBe(200)
      expect(again.headers.get('idempotent-replayed')).toBeNull()
    } finally {
      await strict.close()
      await fake.close()
    }
  })

  it('forgets a resource that was taken back after the backend had taken its file', async () => {
    const fake = await startFakeEveros()
    const strict = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: fake.url })
    try {
      const caller = await createUser(strict.url)
      const add = () => caller.upload('/resources', {}, [{ ...file('A file.'), field: 'file' }], { headers: once() })
      fake.failNext('flush', { status: 422, code: 'INVALID_INPUT' })
      expect((await add()).status).toBe(422)
      const again = await add()
      expect(again.status, JSON.stringify(again.body)).toBe(201)
      expect(again.headers.get('idempotent-replayed')).toBeNull()
    } finally {
      await strict.close()
      await fake.close()
    }
  })
})
