import { and, eq, sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { auditLog } from '../../src/db/schema/audit-log.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { type V1Caller, v1Caller } from '../helpers/memory-sync-v1.ts'
import { endUserContext } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const diet = { namespace: ['memories', 'user_42'], key: 'diet' }

function put(app: V1Caller, more: object = {}, headers: Record<string, string> = {}) {
  return app.post('/v1/state/put', { ...diet, value: { diet: 'vegan' }, ...more }, headers)
}

async function keys(app: V1Caller, prefix: string[] = [], more: object = {}): Promise<string[]> {
  const { body } = await app.post('/v1/state/list', { namespace_prefix: prefix, ...more })
  return body.items.map(({ key }: { key: string }) => key)
}

describe('a value', () => {
  it('is read back as it was put', async () => {
    const app = await v1Caller(gateway)
    const value = { list: [1, null, 'ü'], deep: { 'a key': false }, empty: {} }
    const stored = await put(app, { value, source: 'my-app' })
    expect(stored.status).toBe(200)
    expect(stored.body).toEqual({
      item: {
        id: expect.stringMatching(/^h_\d+$/),
        ...diet,
        value,
        text: JSON.stringify(value),
        source: 'my-app',
        created_at: expect.stringMatching(/Z$/),
        updated_at: expect.stringMatching(/Z$/),
      },
      created: true,
      request_id: null,
      deleted_fact_ids: [],
      status: 'ok',
    })
    const got = await app.post('/v1/state/get', { ...diet, source: 'my-app' })
    expect(got.body).toEqual({ item: stored.body.item })
    expect((await app.post('/v1/state/get', diet)).body).toEqual({ item: null })
    expect(
      (await app.post('/v1/state/get', { ...diet, namespace: ['memories'], source: 'my-app' })).body.item,
    ).toBeNull()
  })

  it('takes the place of the one before', async () => {
    const app = await v1Caller(gateway)
    const first = await put(app)
    const second = await put(app, { value: { diet: 'all' } })
    expect(second.body.created).toBe(true)
    expect(second.body.item).toMatchObject({ id: first.body.item.id, created_at: first.body.item.created_at })
    expect(second.body.item.updated_at > first.body.item.updated_at).toBe(true)
    expect((await app.post('/v1/state/get', diet)).body.item.value).toEqual({ diet: 'all' })
    expect(await keys(app)).toEqual(['diet'])
  })

  it('that the key holds already changes nothing', async () => {
    const app = await v1Caller(gateway)
    const value = { a: 1, b: { c: [1, -0] } }
    const first = await put(app, { value })
    for (const same of [{ value }, { value: { b: { c: [1, 0] }, a: 1 } }, { value, text: JSON.stringify(value) }]) {
      const again = await put(app, same)
      expect(again.body).toMatchObject({ created: false, item: first.body.item })
    }
    expect((await put(app, { value, text: 'another text' })).body.created).toBe(true)
    expect((await put(app, { value, text: 'another text' })).body.created).toBe(false)
    expect((await put(app, { value })).body.created).toBe(true)
  })

  it('is the same as what JSON says is the same', async () => {
    const app = await v1Caller(gateway)
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 })), async (value) => {
        const sent = JSON.parse(
          JSON.stringify(value)
            .replaceAll('\\u0000', '')
            .replaceAll(/\\ud[89a-f]../gi, ''),
        )
        await put(app, { value: { before: Math.random() } })
        expect((await put(app, { value: sent })).body.created).toBe(true)
        const again = await put(app, { value: sent })
        expect(again.body.created).toBe(false)
        expect(again.body.item.value).toEqual(JSON.parse(JSON.stringify(sent)))
      }),
      { numRuns: 25 },
    )
  })

  it('is one, though many put it at the same time', async () => {
    const app = await v1Caller(gateway)
    const same = await Promise.all(Array.from({ length: 8 }, () => put(app)))
    expect(same.map(({ status }) => status)).toEqual(Array(8).fill(200))
    expect(same.filter(({ body }) => body.created)).toHaveLength(1)
    const others = await Promise.all(Array.from({ length: 8 }, (_, n) => put(app, { value: { n } })))
    expect(others.every(({ status, body }) => status === 200 && body.created)).toBe(true)
    expect(new Set([...same, ...others].map(({ body }) => body.item.id)).size).toBe(1)
    expect(await keys(app)).toEqual(['diet'])
  })

  it('is put once by requests with one Idempotency-Key, and the kept answer goes with it', async () => {
    const app = await v1Caller(gateway)
    const headers = { 'idempotency-key': 'one' }
    const first = await put(app, {}, headers)
    await put(app, { value: { diet: 'all' } })
    expect((await put(app, {}, headers)).body).toEqual(first.body)
    expect((await app.post('/v1/state/get', diet)).body.item.value).toEqual({ diet: 'all' })
    await app.post('/v1/state/delete', { ...diet, keys: ['diet'] })
    expect((await put(app, {}, headers)).status).toBe(404)
  })
})

describe('facts in a value', () => {
  const text = 'My sister Zoe lives in Porto.'

  it('become memories if asked, and go with the value if asked', async () => {
    const app = await v1Caller(gateway)
    await put(app, { text: 'My brother Max lives in Rome.' })
    expect(await app.memories()).toEqual([])
    const stored = await put(app, { text, extract: true, metadata: { kind: 'family', deep: [] } })
    expect(stored.body.request_id).toBeTruthy()
    const list = await app.get('/v1/memory/acme/ada%40example.com/list')
    expect(list.body.memories).toMatchObject([{ text: expect.stringContaining('Porto'), metadata: { kind: 'family' } }])
    const { body } = await app.post('/v1/state/delete', { ...diet, delete_derived_facts: true })
    expect(body).toEqual({
      deleted_ids: [stored.body.item.id],
      deleted_fact_ids: [String(list.body.memories[0].id)],
    })
    expect(await app.memories()).toEqual([])
  })

  it('stay when the value goes, unless asked', async () => {
    const app = await v1Caller(gateway)
    await put(app, { text, extract: true })
    expect((await app.post('/v1/state/delete', diet)).body.deleted_fact_ids).toEqual([])
    expect(await app.memories()).toHaveLength(1)
  })

  it('are replaced with the value if asked, also by the same facts', async () => {
    const app = await v1Caller(gateway)
    await put(app, { text, extract: true, value: { n: 1 } })
    const next = { text, extract: true, value: { n: 2 }, replace_derived_facts: true }
    const replaced = await put(app, next)
    expect(replaced.body.deleted_fact_ids).toHaveLength(1)
    expect(await app.memories()).toHaveLength(1)
    const last = { value: { n: 3 }, text: 'Nothing', replace_derived_facts: true }
    expect((await put(app, last)).body.deleted_fact_ids).toHaveLength(1)
    expect(await app.memories()).toEqual([])
  })

  it('are there once though the value is put at the same time', async () => {
    const app = await v1Caller(gateway)
    const answers = await Promise.all(Array.from({ length: 5 }, () => put(app, { text, extract: true })))
    expect(answers.filter(({ body }) => body.created)).toHaveLength(1)
    expect(await app.memories()).toHaveLength(1)
  })
})

describe('values', () => {
  async function filled() {
    const app = await v1Caller(gateway)
    for (const [namespace, key, text] of [
      [['a'], 'one', 'Ada likes green tea'],
      [['a', 'b'], 'two', 'The harbour of Porto is old'],
      [['a', 'b', 'c'], 'three', 'Green is the colour of tea and of grass and of hope'],
      [['ab'], 'four', 'Nothing at all'],
      [['b', 'a'], 'five', 'green'],
    ]) {
      await put(app, { namespace, key, text, value: { key } })
    }
    return app
  }

  it('are listed by prefix, newest first', async () => {
    const app = await filled()
    expect(await keys(app)).toEqual(['five', 'four', 'three', 'two', 'one'])
    expect(await keys(app, ['a'])).toEqual(['three', 'two', 'one'])
    expect(await keys(app, ['a', 'b'])).toEqual(['three', 'two'])
    expect(await keys(app, ['b', 'a', 'x'])).toEqual([])
    expect(await keys(app, ['a'], { source: 'other' })).toEqual([])
    const { body } = await app.post('/v1/state/list', { namespace_prefix: ['a'], limit: 1, offset: 1 })
    expect(body).toMatchObject({ items: [{ key: 'two' }], total: 3 })
    await put(app, { namespace: ['a'], key: 'one', value: { changed: true } })
    expect(await keys(app, ['a'])).toEqual(['one', 'three', 'two'])
  })

  it('are ranked by the words that they share with a query', async () => {
    const app = await filled()
    const { body } = await app.post('/v1/state/search', { query: 'Who likes green tea?', namespace_prefix: ['a'] })
    expect(body.items.map(({ key }: { key: string }) => key)).toEqual(['one', 'three', 'two'])
    expect(body.total).toBe(3)
    // Three words of four and three.
    expect(body.items[0].score).toBeCloseTo(3 / Math.sqrt(4 * 3), 5)
    expect(body.items[2].score).toBe(0)
    const best = await app.post('/v1/state/search', { query: 'green', limit: 1 })
    expect(best.body.items).toMatchObject([{ key: 'five', score: 1 }])
    const wordless = await app.post('/v1/state/search', { query: '?!' })
    expect(wordless.body.items).toHaveLength(5)
  })

  it('that are not to be indexed are ranked all the same', async () => {
    const app = await v1Caller(gateway)
    await put(app, { text: 'green tea', index: false })
    expect((await app.post('/v1/state/search', { query: 'green' })).body.items[0].score).toBeGreaterThan(0)
  })

  it('have their namespaces listed', async () => {
    const app = await filled()
    const names = async (more: object = {}) => (await app.post('/v1/state/namespaces', more)).body
    expect(await names()).toEqual({ namespaces: [['a'], ['a', 'b'], ['a', 'b', 'c'], ['ab'], ['b', 'a']], total: 5 })
    expect((await names({ max_depth: 1 })).namespaces).toEqual([['a'], ['ab'], ['b']])
    expect((await names({ prefix: ['a'], max_depth: 2 })).namespaces).toEqual([['a'], ['a', 'b']])
    expect(await names({ limit: 2, offset: 1 })).toEqual({
      namespaces: [
        ['a', 'b'],
        ['a', 'b', 'c'],
      ],
      total: 5,
    })
    expect(await names({ source: 'other' })).toEqual({ namespaces: [], total: 0 })
  })

  it('are deleted by key, or with their namespace but not those below it', async () => {
    const app = await filled()
    expect((await app.post('/v1/state/delete', { namespace: ['a'], keys: [] })).body.deleted_ids).toEqual([])
    expect((await app.post('/v1/state/delete', { namespace: ['a'], keys: ['two'] })).body.deleted_ids).toEqual([])
    const { body } = await app.post('/v1/state/delete', { namespace: ['a', 'b'] })
    expect(body.deleted_ids).toEqual([expect.stringMatching(/^h_\d+$/)])
    expect(await keys(app)).toEqual(['five', 'four', 'three', 'one'])
    const { db } = gateway.services
    const entry = and(eq(auditLog.target, body.deleted_ids[0]), eq(auditLog.action, 'state.delete'))
    expect(await db.select().from(auditLog).where(entry)).toHaveLength(1)
  })

  it('are deleted with their namespace, however many', async () => {
    const app = await v1Caller(gateway)
    const { caller } = await endUserContext(gateway, app.apiKey, app.user)
    await gateway.services.db.execute(sql`
      insert into state_items (user_id, source, namespace, key, value, text, terms, word_count)
      select ${caller.userId}, 'api', array['a'], n::text, '{}', '', array[]::text[], 0 from generate_series(1, 2500) as n`)
    const { body } = await app.post('/v1/state/delete', { namespace: ['a'] })
    expect(body.deleted_ids).toHaveLength(2_500)
    expect(body.deleted_ids[0]).toBe(`h_${Math.min(...body.deleted_ids.map((id: string) => Number(id.slice(2))))}`)
    const { db } = gateway.services
    expect(await db.$count(auditLog, eq(auditLog.userId, caller.userId))).toBe(2_500)
    expect(await keys(app)).toEqual([])
  })

  it("are nobody else's", async () => {
    const app = await filled()
    for (const other of [app.as('bob@example.com'), await v1Caller(gateway)]) {
      const place = { namespace: ['a'], key: 'one' }
      expect((await other.post('/v1/state/get', place)).body).toEqual({ item: null })
      expect(await keys(other)).toEqual([])
      expect((await other.post('/v1/state/search', { query: 'green tea' })).body).toEqual({ items: [], total: 0 })
      expect((await other.post('/v1/state/namespaces')).body.namespaces).toEqual([])
      expect((await other.post('/v1/state/delete', { namespace: ['a'] })).body.deleted_ids).toEqual([])
    }
    expect(await keys(app)).toHaveLength(5)
  })

  it('need a key, and its scope', async () => {
    const app = await v1Caller(gateway)
    const reader = await v1Caller(gateway, { scopes: ['read'] })
    for (const name of ['put', 'get', 'list', 'search', 'delete', 'namespaces']) {
      const path = `/v1/state/${name}`
      const body = { ...diet, value: {}, query: 'x' }
      expect((await app.post(path, body, { 'x-api-key': '' })).status).toBe(401)
      expect((await app.post(path, body, { 'x-api-key': 'mgk_live_wrong' })).status).toBe(401)
      expect((await reader.post(path, body)).status).toBe(name === 'put' || name === 'delete' ? 403 : 200)
    }
  })

  it.each([
    ['an empty namespace', { namespace: [] }],
    ['21 segments', { namespace: Array(21).fill('s') }],
    ['a namespace that is no list', { namespace: 'memories' }],
    ['an empty key', { key: '' }],
    ['a value that is no object', { value: [1] }],
    ['no value', { value: null }],
    ['NUL', { value: { a: '\u0000' } }],
    ['names of more than 2000 bytes', { namespace: Array(20).fill('ü'.repeat(50)) }],
    ['a value of more than 1 MiB', { value: { a: 'x'.repeat(1024 * 1024) } }],
  ])('refuse %s', async (_, fault) => {
    const app = await v1Caller(gateway)
    expect((await put(app, fault)).status).toBe(422)
    expect(await keys(app)).toEqual([])
  })

  it('take the longest names', async () => {
    const app = await v1Caller(gateway)
    const random = () => Buffer.from(crypto.getRandomValues(new Uint8Array(300))).toString('base64')
    const room = 2_000 - 'api'.length - 400
    const segments = Array.from({ length: 20 }, () => random().slice(0, Math.floor(room / 20)))
    const name = { namespace: segments, key: random().slice(0, 400) }
    expect((await put(app, name)).status).toBe(200)
    expect((await app.post('/v1/state/get', name)).body.item.namespace).toEqual(segments)
    expect((await put(app, { ...name, key: `${name.key}${'x'.repeat(40)}` })).status).toBe(422)
  })

  it.each([
    ['list', { limit: 0 }],
    ['list', { limit: 5_001 }],
    ['list', { offset: -1 }],
    ['search', { query: 'x', limit: 101 }],
    ['search', { query: '' }],
    ['namespaces', { max_depth: 0 }],
  ])('refuse to %s %j', async (name, body) => {
    const app = await v1Caller(gateway)
    expect((await app.post(`/v1/state/${name}`, body)).status).toBe(422)
  })
})
