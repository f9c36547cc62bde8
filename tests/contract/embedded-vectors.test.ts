import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createOpenAiCompatibleEmbedding } from '../../src/adapters/embedding-model/openai-compatible.ts'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import type { BackendMessage, BackendSession, MemoryBackend, MemoryHit } from '../../src/ports/memory-backend.ts'
import { openPgvectorDatabase, pgvectorUrl } from '../helpers/pgvector-database.ts'
import { type StubEmbedding, startStubEmbedding } from '../helpers/stub-embedding.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const random = () => randomBytes(8).toString('hex')
const newSession = (): BackendSession => ({
  projectId: `p${random()}`,
  senderId: `u${random()}`,
  sessionId: `s${random()}`,
})

function say(session: BackendSession, timestamp: number, text: string): BackendMessage {
  const { senderId } = session
  return { role: 'user', senderId, senderName: 'Ada', timestamp, items: [{ type: 'text', text }] }
}

/** Of all that say the same. */
const timesOf = ({ sources = [] }: MemoryHit) => sources.map(({ timestamp }) => timestamp)

/** Until nothing is left to do now. */
async function tendAll(backend: MemoryBackend): Promise<void> {
  for (let turn = 0; turn < 50; turn++) {
    if ((await backend.tend()).remaining === 0) return
  }
  expect.unreachable('work is left')
}

it.runIf(!pgvectorUrl && process.env.REQUIRE_SERVICES === '1')('needs a PostgreSQL with pgvector', () => {
  expect.fail('TEST_PGVECTOR_URL is not set')
})

const cases = [
  { name: 'with pgvector where the database has it', usesExtension: true, open: openTestDatabase },
  { name: 'without pgvector', usesExtension: false, open: openTestDatabase },
  { name: 'on a PostgreSQL with pgvector', usesExtension: true, open: openPgvectorDatabase, isMissing: !pgvectorUrl },
]

for (const { name, usesExtension, open, isMissing = false } of cases) {
  describe.skipIf(isMissing)(`searches by meaning, ${name}`, () => {
    let database: DatabaseConnection
    let stub: StubEmbedding
    let backend: MemoryBackend
    const warnings: string[] = []

    function openBackend(model = 'hashed'): MemoryBackend {
      return createEmbeddedBackend({
        db: database.db,
        logger: { warn: (_details, message) => warnings.push(message) },
        embedding: {
          model: createOpenAiCompatibleEmbedding({
            model,
            baseUrl: stub.baseUrl,
            apiKey: undefined,
            timeoutMs: 5_000,
          }),
          withOwnSession: database.withOwnSession,
          usesExtension,
        },
      })
    }

    async function find(session: BackendSession, query: string, options: object = {}, by = backend) {
      const { projectId, senderId } = session
      return by.search({ projectId, senderId, query, topK: 5, ...options })
    }

    async function vectorsOf(
      session: BackendSession,
    ): Promise<{ model: string; hasVector: boolean; waits: boolean }[]> {
      const answer: unknown = await database.db.execute(sql`select model, embedding is not null as "hasVector",
      due_at is not null as waits from engine_embeddings
      where project_id = ${session.projectId} and sender_id = ${session.senderId} order by model, content_hash`)
      return Array.isArray(answer) ? answer : (answer as { rows: never[] }).rows
    }

    /** Instead of waiting. */
    async function dueNow(session: BackendSession): Promise<void> {
      await database.db.execute(sql`update engine_embeddings set due_at = now()
      where project_id = ${session.projectId} and sender_id = ${session.senderId} and due_at is not null`)
    }

    /** As if no process had used it for a while. */
    async function outOfUse(model: string): Promise<void> {
      await database.db.execute(
        sql`update engine_embedding_models set used_at = now() - interval '1 hour' where model = ${model}`,
      )
    }

    beforeAll(async () => {
      database = await open()
      stub = await startStubEmbedding()
      // The stems of these words; what the model takes to be the same.
      stub.synonyms = { automobil: 'car', vehicl: 'car' }
      backend = openBackend()
    })
    afterEach(() => {
      stub.misbehave(undefined)
      stub.poison = undefined
      warnings.length = 0
    })
    afterAll(async () => {
      await backend.close()
      await stub.close()
      await database.close()
    })

    it('finds what is meant besides what is said', async () => {
      const session = newSession()
      await backend.add(session, [
        say(session, 1, 'We watered the tomatoes.'),
        say(session, 2, 'Dinner is at seven.'),
        say(session, 3, 'The automobile is being repaired.'),
      ])
      await tendAll(backend)
      const { hits, method, notice } = await find(session, 'vehicle', { explain: true })
      expect({ method, notice }).toEqual({ method: 'hybrid', notice: undefined })
      expect(hits[0]).toMatchObject({ timestamp: 3, pending: true })
      expect(hits[0]?.explanation).toMatchObject({
        similarity: expect.any(Number),
        meaning: expect.any(Number),
        vector_rank: 1,
      })
      for (const { score } of hits) expect(score).toBeGreaterThan(0)
      for (const { score } of hits) expect(score).toBeLessThanOrEqual(1)
      const [best] = hits
      const atLeast = await find(session, 'vehicle', { minScore: best!.score, explain: true })
      expect(atLeast.hits).toEqual([best])
    })

    it('understands a turn from the one before it', async () => {
      const session = newSession()
      await backend.add(session, [say(session, 1, 'How is the automobile?'), say(session, 2, 'Repaired at last.')])
      await backend.add(session, [say(session, 3, 'Good.')])
      await tendAll(backend)
      const input = stub.calls.flatMap((call) => call.input)
      expect(input).toContain('Ada: How is the automobile?\nAda: Repaired at last.')
      expect(input).toContain('Ada: Repaired at last.\nAda: Good.')
      const { hits } = await find(session, 'the vehicle')
      expect(hits.map(({ timestamp }) => timestamp)).toContain(2)
    })

    it('stays inside the partition, the sessions and the times it was given', async () => {
      const session = newSession()
      const other = { ...session, sessionId: `s${random()}` }
      const stranger = { ...newSession(), sessionId: session.sessionId }
      const sameProject = { ...session, senderId: `u${random()}` }
      for (const [index, each] of [session, other, stranger, sameProject].entries()) {
        await backend.add(each, [say(each, 100 + index, `The automobile is repaired ${index}.`)])
      }
      await tendAll(backend)
      const times = async (options: object) =>
        (await find(session, 'vehicle', options)).hits.flatMap(timesOf).toSorted((a, b) => a - b)
      expect(await times({})).toEqual([100, 101])
      expect(await times({ sessionIds: [session.sessionId] })).toEqual([100])
      expect(await times({ from: 101 })).toEqual([101])
      expect(await times({ to: 100 })).toEqual([100])
      expect(await times({ sessionIds: [`s${random()}`] })).toEqual([])
      expect((await find({ ...session, senderId: 'nobody' }, 'vehicle')).hits).toEqual([])
      // Each partition has a vector of its own for the same text.
      expect(await vectorsOf(session)).toHaveLength(2)
      expect(await vectorsOf(stranger)).toHaveLength(1)
    })

    it('embeds a text once, however often a partition says it', async () => {
      const session = newSession()
      const said = `The ${random()} is in the cellar.`
      for (const sessionId of ['one', 'two', 'three'])
        await backend.add({ ...session, sessionId }, [say(session, 1, said)])
      await tendAll(backend)
      expect(stub.calls.flatMap(({ input }) => input).filter((text) => text.includes(said))).toHaveLength(1)
      expect((await find(session, said)).hits.flatMap(timesOf)).toEqual([1, 1, 1])
    })

    it('forgets the vectors that no memory uses any more, and no others', async () => {
      const session = newSession()
      const other = { ...session, sessionId: `s${random()}` }
      await backend.add(session, [say(session, 1, 'The kettle is copper.'), say(session, 2, 'The lamp is brass.')])
      await backend.add(other, [say(other, 1, 'The kettle is copper.')])
      await tendAll(backend)
      expect(await vectorsOf(session)).toHaveLength(2)
      const { projectId, senderId, sessionId } = session
      await backend.forget({ projectId, senderId, sessionId })
      expect(await vectorsOf(session)).toEqual([{ model: 'hashed', hasVector: true, waits: false }])
      expect((await find(session, 'kettle')).hits.map((hit) => hit.sessionId)).toEqual([other.sessionId])
      await backend.forget({ projectId, senderId })
      expect(await vectorsOf(session)).toEqual([])
      expect((await find(session, 'kettle')).hits).toEqual([])
    })

    it('keeps no vector of what was forgotten while the model was asked', async () => {
      const session = newSession()
      const { projectId, senderId } = session
      await backend.forget({ projectId, senderId })
      const slow = openBackend('slow')
      const asked = stub.holdNext()
      await slow.add(session, [say(session, 1, 'The kettle is copper.')])
      const answer = await asked
      await slow.forget({ projectId, senderId })
      answer()
      await tendAll(slow)
      expect(await vectorsOf(session)).toEqual([])
      await slow.close()
    })

    it('keeps no vector of what was forgotten, even where its place was made again before the model answered', async () => {
      const session = newSession()
      const { projectId, senderId } = session
      const slow = openBackend('slow')
      const asked = stub.holdNext()
      await slow.add(session, [say(session, 1, 'The kettle is copper.')])
      const answer = await asked
      const known: unknown = await database.db.execute(
        sql`select content_hash as hash from engine_memories where project_id = ${projectId}`,
      )
      const [row] = Array.isArray(known) ? known : (known as { rows: { hash: string }[] }).rows
      await slow.forget({ projectId, senderId })
      await database.db.execute(sql`insert into engine_embeddings (project_id, sender_id, model, content_hash, due_at)
        values (${projectId}, ${senderId}, 'slow', ${row.hash}, now() + interval '1 hour')`)
      answer()
      await slow.add(session, [say(session, 2, 'The lamp is brass.')])
      await vi.waitUntil(async () => (await vectorsOf(session)).some(({ hasVector, waits }) => hasVector && !waits))
      await slow.tend()
      expect((await vectorsOf(session)).filter(({ hasVector }) => hasVector)).toHaveLength(1)
      await dueNow(session)
      await tendAll(slow)
      expect(await vectorsOf(session)).toHaveLength(1)
      await slow.close()
    })

    it('answers by words while the model does not, says so, and does not wait for it each time', async () => {
      const session = newSession()
      const lonely = openBackend()
      stub.misbehave({ status: 503 })
      await lonely.add(session, [say(session, 1, 'The automobile is repaired.')])
      expect(await find(session, 'automobile', {}, lonely)).toMatchObject({
        method: 'lexical',
        notice: expect.stringMatching(/embedding model did not answer/),
        hits: [{ timestamp: 1 }],
      })
      const { remaining, againInMs } = await lonely.tend()
      expect(remaining).toBeGreaterThan(0)
      expect(againInMs).toBeGreaterThan(0)
      const before = stub.calls.length
      expect((await find(session, 'repaired', {}, lonely)).method).toBe('lexical')
      expect(stub.calls).toHaveLength(before)
      await lonely.close()
      stub.misbehave(undefined)
      const again = openBackend()
      await dueNow(session)
      await tendAll(again)
      expect(await find(session, 'vehicle', {}, again)).toMatchObject({ method: 'hybrid', hits: [{ timestamp: 1 }] })
      await again.close()
    })

    it('waits for as long as the server asks', async () => {
      const session = newSession()
      const polite = openBackend()
      stub.misbehave({ status: 429, headers: { 'retry-after': '50' } })
      await polite.add(session, [say(session, 1, 'The automobile is repaired.')])
      expect((await polite.tend()).againInMs).toBeGreaterThan(40_000)
      await polite.close()
      stub.misbehave(undefined)
      await dueNow(session)
      await tendAll(backend)
    })

    it('lets no text that the model refuses keep others from their vectors', async () => {
      const session = newSession()
      stub.poison = 'arsenic'
      const texts = Array.from(
        { length: 40 },
        (_each, index) => `Bottle ${index} has ${index === 17 ? 'arsenic' : 'milk'}.`,
      )
      for (const [index, text] of texts.entries()) {
        const alone = { ...session, sessionId: `s${index}` }
        await backend.add(alone, [say(alone, index + 1, text)])
      }
      await tendAll(backend)
      const rows = await vectorsOf(session)
      expect(rows).toHaveLength(40)
      expect(rows.filter(({ hasVector }) => !hasVector)).toEqual([{ model: 'hashed', hasVector: false, waits: false }])
      expect(warnings).toContain('the embedding model refuses a text for good')
      expect((await find(session, 'arsenic')).hits[0]?.timestamp).toBe(18)
    })

    it('takes a server that refuses everything for one that is away', async () => {
      const session = newSession()
      const wrong = openBackend()
      stub.misbehave({ status: 400 })
      await wrong.add(session, [say(session, 1, 'The automobile is repaired.')])
      expect((await wrong.tend()).remaining).toBeGreaterThan(0)
      expect(await vectorsOf(session)).toEqual([{ model: 'hashed', hasVector: false, waits: true }])
      await wrong.close()
      stub.misbehave(undefined)
      await dueNow(session)
      await tendAll(backend)
      expect(await vectorsOf(session)).toEqual([{ model: 'hashed', hasVector: true, waits: false }])
    })

    it('comes to know what was remembered without it, and changes models while searches go on', async () => {
      const session = newSession()
      const plain = createEmbeddedBackend({ db: database.db })
      const texts = ['The automobile is repaired.', ...Array.from({ length: 450 }, (_each, index) => `Page ${index}.`)]
      await plain.add(
        session,
        texts.map((text, index) => say(session, index + 1, text)),
      )
      await plain.close()
      const first = openBackend('first')
      await tendAll(first)
      expect((await find(session, 'vehicle', {}, first)).hits[0]?.timestamp).toBe(1)
      await first.close()
      await outOfUse('first')
      const second = openBackend('second')
      expect((await find(session, 'automobile', {}, second)).hits[0]?.timestamp).toBe(1)
      await tendAll(second)
      const rows = await vectorsOf(session)
      expect(rows).toHaveLength(texts.length)
      expect(new Set(rows.map((row) => JSON.stringify(row)))).toEqual(
        new Set([JSON.stringify({ model: 'second', hasVector: true, waits: false })]),
      )
      expect((await find(session, 'vehicle', {}, second)).hits[0]?.timestamp).toBe(1)
      await second.close()
    })

    it('leaves alone what another process has of its model, until no process has used that for a while', async () => {
      const session = newSession()
      const modelsOf = async () => (await vectorsOf(session)).map(({ model }) => model)
      const older = openBackend('older')
      await older.add(session, [say(session, 1, 'The automobile is repaired.')])
      await tendAll(older)
      const newer = openBackend('newer')
      await tendAll(newer)
      expect(await modelsOf()).toEqual(['newer', 'older'])
      for (const each of [older, newer])
        expect(await find(session, 'vehicle', {}, each)).toMatchObject({ method: 'hybrid', hits: [{ timestamp: 1 }] })
      await older.close()
      await outOfUse('older')
      await newer.close()
      const next = openBackend('newer')
      await tendAll(next)
      expect(await modelsOf()).toEqual(['newer'])
      await next.close()
    })

    it('asks about no text twice, though several tend at once', async () => {
      const session = newSession()
      const mark = random()
      const plain = createEmbeddedBackend({ db: database.db })
      await plain.add(
        session,
        Array.from({ length: 100 }, (_each, index) => say(session, index + 1, `Shelf ${mark} ${index}.`)),
      )
      await plain.close()
      const backends = [openBackend('third'), openBackend('third'), openBackend('third')]
      await Promise.all(backends.map((each) => each.tend()))
      await tendAll(backends[0]!)
      const asked = stub.calls
        .filter(({ model }) => model === 'third')
        .flatMap(({ input }) => input)
        .filter((text) => text.includes(mark))
      expect(new Set(asked).size).toBe(asked.length)
      expect((await vectorsOf(session)).every(({ hasVector }) => hasVector)).toBe(true)
      for (const each of backends) await each.close()
    })
  })
}
