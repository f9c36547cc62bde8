import { and, eq, sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { auditLog } from '../../src/db/schema/audit-log.ts'
import { transcriptTurns } from '../../src/db/schema/transcript-turns.ts'
import { call } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { type V1Caller, v1Caller } from '../helpers/memory-sync-v1.ts'
import { endUserContext } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const session = { session_id: 'thread-42' }
const turns = [
  { role: 'user', content: 'I prefer window seats.', seq: 0 },
  { role: 'assistant', content: 'Noted.', seq: 1 },
]

interface Turn {
  id: string
  content: string
  created: boolean
}

function append(app: V1Caller, given: readonly object[], more: object = {}, headers: Record<string, string> = {}) {
  return app.post('/v1/history/append', { ...session, turns: given, extract: false, ...more }, headers)
}

async function contents(app: V1Caller, more: object = {}): Promise<string[]> {
  const { body } = await app.post('/v1/history/list', { ...session, ...more })
  return body.items.map(({ content }: Turn) => content)
}

describe('a transcript', () => {
  it('is read back as it was written, in its order', async () => {
    const app = await v1Caller(gateway)
    const payload = { type: 'ai', parts: [null, 1.5, { deep: ['ü', true] }] }
    const second = { role: ' AI ', content: '', seq: 1, occurred_at: '2026-05-01T10:00:00+02:00', payload }
    const added = await append(app, [second, { role: 'Human', content: ' Hi \n', seq: 0 }], { source: 'my-app' })
    expect(added.status).toBe(200)
    expect(added.body).toMatchObject({ request_ids: [], status: 'ok' })
    expect(added.headers.get('x-request-id')).toBeTruthy()
    const { body } = await app.post('/v1/history/list', session)
    expect(body).toEqual({
      items: [
        {
          id: expect.stringMatching(/^h_\d+$/),
          session_id: 'thread-42',
          role: 'user',
          content: ' Hi \n',
          seq: 0,
          occurred_at: null,
          payload: null,
          source: 'my-app',
          created_at: expect.stringMatching(/Z$/),
        },
        {
          id: expect.stringMatching(/^h_\d+$/),
          session_id: 'thread-42',
          role: 'assistant',
          content: '',
          seq: 1,
          occurred_at: '2026-05-01T08:00:00.000Z',
          payload,
          source: 'my-app',
          created_at: expect.stringMatching(/Z$/),
        },
      ],
      total: 2,
    })
    expect(added.body.items.map(({ seq, created }: { seq: number; created: boolean }) => [seq, created])).toEqual([
      [1, true],
      [0, true],
    ])
  })

  it.each(['"123"', '"null"', '123', 'true', '[]', '""', '"a\\"b"'])('keeps the payload %s', async (json) => {
    const app = await v1Caller(gateway)
    const payload: unknown = JSON.parse(json)
    await append(app, [{ role: 'user', content: 'x', payload }])
    const { body } = await app.post('/v1/history/list', session)
    expect(body.items[0].payload).toEqual(payload)
  })

  it('has its latest turns where a limit is given', async () => {
    const app = await v1Caller(gateway)
    await append(
      app,
      ['b', 'd', 'a', 'c'].map((content) => ({ role: 'user', content, seq: content.charCodeAt(0) })),
    )
    await append(app, [{ role: 'user', content: 'without a place' }])
    expect(await contents(app)).toEqual(['a', 'b', 'c', 'd', 'without a place'])
    expect(await contents(app, { limit: 2 })).toEqual(['d', 'without a place'])
    const { body } = await app.post('/v1/history/list', { ...session, limit: 2 })
    expect(body.total).toBe(5)
  })

  it('is of one source, or of all', async () => {
    const app = await v1Caller(gateway)
    await append(app, turns, { source: 'one' })
    await append(app, turns, { source: 'two' })
    expect(await contents(app, { source: 'one' })).toHaveLength(2)
    expect(await contents(app)).toHaveLength(4)
    expect(await contents(app, { source: 'three' })).toEqual([])
  })

  it('has a turn once that is sent again', async () => {
    const app = await v1Caller(gateway)
    const keyed = { role: 'user', content: 'first', idempotency_key: 'k1' }
    const first = await append(app, [...turns, keyed])
    const again = await append(app, [...turns, { ...keyed, content: 'another text' }])
    expect(again.body.items.map(({ created }: Turn) => created)).toEqual([false, false, false])
    expect(again.body.items.map(({ id }: Turn) => id)).toEqual(first.body.items.map(({ id }: Turn) => id))
    expect(await contents(app)).toEqual([...turns.map(({ content }) => content), 'first'])
  })

  it('knows a turn by its place though it came with a key before, and the other way', async () => {
    const app = await v1Caller(gateway)
    const turn = { role: 'user', content: 'x', seq: 7 }
    const [keyed, plain] = [
      { ...turn, idempotency_key: 'k' },
      { ...turn, seq: 8 },
    ]
    await append(app, [keyed, plain])
    const again = await append(app, [turn, { ...plain, idempotency_key: 'other' }])
    expect(again.body.items.map(({ created }: Turn) => created)).toEqual([false, false])
  })

  it('has a turn once that comes twice in one call', async () => {
    const app = await v1Caller(gateway)
    const { body } = await append(app, [turns[0] ?? {}, turns[0] ?? {}])
    expect(body.items.map(({ created }: Turn) => created)).toEqual([true, false])
    expect(body.items[0].id).toBe(body.items[1].id)
  })

  it('has every turn without a key and a place, each time', async () => {
    const app = await v1Caller(gateway)
    const same = { role: 'user', content: 'same' }
    await append(app, [same, same])
    await append(app, [same])
    expect(await contents(app)).toEqual(['same', 'same', 'same'])
  })

  it('has each turn once though many send it at the same time', async () => {
    const app = await v1Caller(gateway)
    const given = Array.from({ length: 20 }, (_, seq) => ({ role: 'user', content: `turn ${seq}`, seq }))
    const answers = await Promise.all(Array.from({ length: 8 }, () => append(app, given)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    const made = answers.flatMap(({ body }) => body.items.filter(({ created }: Turn) => created))
    expect(made).toHaveLength(20)
    expect(await contents(app)).toEqual(given.map(({ content }) => content))
  })

  it('holds what a set of sendings holds, whatever their order and repetitions', async () => {
    const app = await v1Caller(gateway)
    const turn = fc.record({
      role: fc.constantFrom('user', 'human', 'AI', 'assistant'),
      content: fc.constantFrom('a', 'b'),
      seq: fc.integer({ min: 0, max: 3 }),
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(turn, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
        async (calls) => {
          const place = { session_id: `run-${run++}` }
          const seen = new Map<string, string>()
          for (const given of calls) {
            const { body } = await append(app, given, place)
            for (const [index, { role, content, seq }] of given.entries()) {
              const name = JSON.stringify([/^(user|human)$/.test(role), content, seq])
              expect(body.items[index].created).toBe(!seen.has(name))
              expect(body.items[index].id).toBe(seen.get(name) ?? body.items[index].id)
              seen.set(name, body.items[index].id)
            }
          }
          const { body } = await app.post('/v1/history/list', place)
          expect(body.items.map(({ id }: Turn) => id).toSorted()).toEqual([...new Set(seen.values())].toSorted())
          const seqs = body.items.map(({ seq }: { seq: number }) => seq)
          expect(seqs).toEqual(seqs.toSorted((one: number, other: number) => one - other))
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe('what users say in a transcript', () => {
  const said = [
    { role: 'user', content: 'I always fly with the window seat.', seq: 0 },
    { role: 'assistant', content: 'I recommend the aisle, my favourite.', seq: 1 },
    { role: 'user', content: 'My sister Zoe lives in Porto.', seq: 2 },
  ]

  it('becomes memories, but what others say does not', async () => {
    const app = await v1Caller(gateway)
    const metadata = { plan: 'pro', nested: { no: 1 } }
    const { body } = await append(app, said, { extract: true, metadata, source: 'my-app' })
    expect(body.request_ids).toHaveLength(1)
    const list = await app.get('/v1/memory/acme/ada%40example.com/list')
    expect(list.body.total).toBe(2)
    for (const memory of list.body.memories) {
      expect(memory.metadata).toEqual({ plan: 'pro', session_id: 'thread-42' })
      expect(memory.source).toBe('my-app')
    }
    await append(app, said, { extract: true })
    expect(await app.memories()).toHaveLength(2)
  })

  it('goes with the turns, if asked', async () => {
    const app = await v1Caller(gateway)
    const { body } = await append(app, said, { extract: true })
    const before = await app.memories()
    const [first] = body.items
    const kept = await app.post('/v1/history/delete', { ids: [body.items[1].id], delete_derived_facts: true })
    expect(kept.body).toEqual({ deleted_ids: [body.items[1].id], deleted_fact_ids: [] })
    const gone = await app.post('/v1/history/delete', { ids: [first.id], delete_derived_facts: true })
    expect(gone.body).toEqual({ deleted_ids: [first.id], deleted_fact_ids: [expect.stringMatching(/^\d+$/)] })
    expect(before.filter((text) => text.includes('window'))).toHaveLength(1)
    expect((await app.memories()).filter((text) => text.includes('window'))).toEqual([])
    const rest = await app.post('/v1/history/delete', { ...session })
    expect(rest.body).toEqual({ deleted_ids: [body.items[2].id], deleted_fact_ids: [] })
    expect(await app.memories()).toHaveLength(1)
  })

  it('goes with any of the turns that say it', async () => {
    const app = await v1Caller(gateway)
    const twice = [said[2], said[1], { role: 'user', content: 'My sister Zoe lives in Porto!', seq: 9 }]
    const { body } = await append(app, twice as object[], { extract: true })
    expect(await app.memories()).toHaveLength(1)
    const gone = await app.post('/v1/history/delete', { ids: [body.items[2].id], delete_derived_facts: true })
    expect(gone.body.deleted_fact_ids).toHaveLength(1)
    expect(await app.memories()).toEqual([])
  })

  it('goes with its turn though it was edited', async () => {
    const app = await v1Caller(gateway)
    await append(app, said.slice(0, 1), { extract: true })
    const list = await app.get('/v1/memory/acme/ada%40example.com/list')
    const { id } = list.body.memories[0]
    const edited = await call(`${app.base}/memory/${id}`, {
      method: 'PATCH',
      headers: { 'x-api-key': app.apiKey, 'x-end-user-id': app.user, 'content-type': 'application/json' },
      body: JSON.stringify({ metadata: { mine: true }, source: 'edited' }),
    })
    expect(edited.status).toBe(200)
    const gone = await app.post('/v1/history/delete', { ...session, delete_derived_facts: true })
    expect(gone.body.deleted_fact_ids).toEqual([String(id)])
  })

  it('goes with a long session too', async () => {
    const app = await v1Caller(gateway)
    for (const [call, cities] of [
      ['Porto', 'Rome'],
      ['Oslo', 'Bern'],
    ].entries()) {
      const given = cities.flatMap((city) => [
        { role: 'user', content: `My best friend of ${city} plays chess in ${city}.` },
        ...Array.from({ length: 49 }, () => ({ role: 'assistant', content: `call ${call}` })),
      ])
      await append(app, given, { extract: true })
    }
    expect(await app.memories()).toHaveLength(4)
    const { body } = await app.post('/v1/history/delete', { ...session, delete_derived_facts: true })
    expect(new Set(body.deleted_ids).size).toBe(200)
    expect(new Set(body.deleted_fact_ids).size).toBe(4)
    expect(await app.memories()).toEqual([])
  })

  it('becomes a memory once though it is sent at the same time', async () => {
    const app = await v1Caller(gateway)
    await Promise.all(Array.from({ length: 5 }, () => append(app, said, { extract: true })))
    expect(await app.memories()).toHaveLength(2)
    expect(await contents(app)).toHaveLength(3)
  })
})

describe('turns that are deleted', () => {
  it('are gone: a session, those of a source, or some', async () => {
    const app = await v1Caller(gateway)
    await append(app, turns, { source: 'one' })
    const { body } = await append(app, turns, { source: 'two' })
    const number = Number(body.items[0].id.slice(2))
    expect((await app.post('/v1/history/delete', { ids: [number, 999_999_999] })).body.deleted_ids).toEqual([
      body.items[0].id,
    ])
    expect((await app.post('/v1/history/delete', { ...session, source: 'one' })).body.deleted_ids).toHaveLength(2)
    expect(await contents(app)).toEqual(['Noted.'])
    expect((await app.post('/v1/history/delete', session)).body.deleted_ids).toEqual([body.items[1].id])
    expect((await app.post('/v1/history/delete', session)).body).toEqual({ deleted_ids: [], deleted_fact_ids: [] })
  })

  it('are not shown by a kept answer either', async () => {
    const app = await v1Caller(gateway)
    const headers = { 'idempotency-key': 'same-request' }
    const first = await append(app, turns, {}, headers)
    const again = await append(app, turns, {}, headers)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
    await app.post('/v1/history/delete', session)
    expect((await append(app, turns, {}, headers)).status).toBe(404)
  })

  it('may be sent again', async () => {
    const app = await v1Caller(gateway)
    await append(app, turns)
    await app.post('/v1/history/delete', session)
    const { body } = await append(app, turns)
    expect(body.items.map(({ created }: Turn) => created)).toEqual([true, true])
  })
})

describe('transcripts', () => {
  it("are nobody else's", async () => {
    const app = await v1Caller(gateway)
    const { body } = await append(app, turns)
    const stranger = await v1Caller(gateway)
    for (const other of [app.as('bob@example.com'), stranger]) {
      expect((await other.post('/v1/history/list', session)).body).toEqual({ items: [], total: 0 })
      const deleted = await other.post('/v1/history/delete', { ids: [body.items[0].id] })
      expect(deleted.body).toEqual({ deleted_ids: [], deleted_fact_ids: [] })
      expect((await other.post('/v1/history/delete', session)).body.deleted_ids).toEqual([])
    }
    expect(await contents(app)).toHaveLength(2)
  })

  it('need a key', async () => {
    const app = await v1Caller(gateway)
    for (const path of ['append', 'list', 'delete'].map((name) => `/v1/history/${name}`)) {
      expect((await app.post(path, session, { 'x-api-key': '' })).status).toBe(401)
      expect((await app.post(path, session, { 'x-api-key': 'mgk_live_wrong' })).status).toBe(401)
    }
  })

  it('need the scope to write', async () => {
    const app = await v1Caller(gateway, { scopes: ['read'] })
    expect((await append(app, turns)).status).toBe(403)
    expect((await app.post('/v1/history/delete', session)).status).toBe(403)
    expect((await app.post('/v1/history/list', session)).status).toBe(200)
  })

  it('leave an audit trail of ids', async () => {
    const app = await v1Caller(gateway)
    const { body } = await append(app, turns)
    await app.post('/v1/history/delete', { ids: [body.items[0].id] })
    const { db } = gateway.services
    const written = `${body.items[0].id}..${body.items[1].id}`
    const rows = await db.select().from(auditLog).where(eq(auditLog.target, written))
    expect(rows).toMatchObject([{ action: 'transcript.write', bytes: 28 }])
    const deleted = and(eq(auditLog.target, body.items[0].id), eq(auditLog.action, 'transcript.delete'))
    expect(await db.select().from(auditLog).where(deleted)).toHaveLength(1)
  })

  it.each([
    ['no turns', { turns: [] }],
    ['101 turns', { turns: Array(101).fill(turns[0]) }],
    ['an empty role', { turns: [{ role: ' ', content: 'x' }] }],
    ['a role of 65 characters', { turns: [{ role: 'r'.repeat(65), content: 'x' }] }],
    ['a turn without content', { turns: [{ role: 'user' }] }],
    ['a place below 0', { turns: [{ role: 'user', content: 'x', seq: -1 }] }],
    ['a place beyond 32 bits', { turns: [{ role: 'user', content: 'x', seq: 2 ** 31 }] }],
    ['a time that is none', { turns: [{ role: 'user', content: 'x', occurred_at: 'soon' }] }],
    ['NUL in a text', { turns: [{ role: 'user', content: 'x\u0000' }] }],
    ['NUL in a payload', { turns: [{ role: 'user', content: 'x', payload: ['\u0000'] }] }],
    ['no session', { session_id: null }],
    ['no user', { user_id: undefined }],
  ])('refuse %s, and keep nothing of it', async (_, fault) => {
    const app = await v1Caller(gateway)
    const { status, body } = await append(app, turns, fault)
    expect(status).toBe(422)
    expect(body.detail[0]).toMatchObject({ loc: expect.any(Array), msg: expect.any(String) })
    expect(await contents(app)).toEqual([])
  })

  it.each([
    ['both selectors', { ...session, ids: ['h_1'] }],
    ['no selector', {}],
    ['no ids', { ids: [] }],
    ['an id that is none', { ids: ['x'] }],
    ['a list limit beyond 5000', { ...session, limit: 5_001 }, '/v1/history/list'],
  ])('refuse %s', async (_, body, path = '/v1/history/delete') => {
    const app = await v1Caller(gateway)
    expect((await app.post(path, body)).status).toBe(422)
  })

  it('are deleted with their session, however many', async () => {
    const app = await v1Caller(gateway)
    const { caller } = await endUserContext(gateway, app.apiKey, app.user)
    await gateway.services.db.execute(sql`
      insert into transcript_turns (user_id, source, session_id, role, content)
      select ${caller.userId}, 'api', 'thread-42', 'user', n::text from generate_series(1, 11000) as n`)
    const { body } = await app.post('/v1/history/delete', session)
    expect(new Set(body.deleted_ids).size).toBe(11_000)
    expect(await contents(app)).toEqual([])
  })

  it('of more than 32 MiB are read in parts', async () => {
    const app = await v1Caller(gateway)
    await append(app, [turns[0] ?? {}])
    const { caller } = await endUserContext(gateway, app.apiKey, app.user)
    const row = { userId: caller.userId, source: 'api', sessionId: 'thread-42', role: 'user' }
    const long = sql`repeat('x', 1024 * 1024)`
    for (let n = 0; n < 32; n++) await gateway.services.db.insert(transcriptTurns).values({ ...row, content: long })
    const all = await app.post('/v1/history/list', session)
    expect(all.status).toBe(413)
    expect(all.body.error.message).toContain('limit')
    const part = await app.post('/v1/history/list', { ...session, limit: 2 })
    expect(part.body.items).toHaveLength(2)
    expect(part.body.total).toBe(33)
    expect((await app.post('/v1/history/delete', session)).body.deleted_ids).toHaveLength(33)
  })

  it('take the bounds themselves', async () => {
    const app = await v1Caller(gateway)
    const full = Array.from({ length: 100 }, (_, seq) => ({
      role: 'r'.repeat(64),
      content: '',
      seq: 2 ** 31 - 1 - seq,
    }))
    expect((await append(app, full)).body.items).toHaveLength(100)
    expect((await app.post('/v1/history/list', { ...session, limit: 5_000 })).body.items).toHaveLength(100)
  })
})
