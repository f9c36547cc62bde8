import { eq } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { batches } from '../../src/db/schema/batches.ts'
import { sweepOrphans } from '../../src/domain/attachments/sweep-orphans.ts'
import { getMemory } from '../../src/domain/memories/get-memory.ts'
import { projectScope } from '../../src/domain/memories/memory-scope.ts'
import { indexStates, memoryStats } from '../../src/domain/memories/memory-stats.ts'
import { searchMemories } from '../../src/domain/memories/search-memories.ts'
import { storeMemories } from '../../src/domain/memories/store-memories.ts'
import { updateMemory } from '../../src/domain/memories/update-memory.ts'
import { type AwayBackend, startAwayBackend } from '../helpers/away-backend.ts'
import { until } from '../helpers/client.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { sharedGateway, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { daysAgo, rowOf, someone } from '../helpers/memories.ts'
import { systemContextOf } from '../helpers/service.ts'

type Someone = Awaited<ReturnType<typeof someone>>
const search = async ({ ctx, scope }: Someone, query: string, more: object = {}) =>
  searchMemories(ctx, scope, { query, limit: 10, ...more })
const stateOf = async ({ ctx, scope }: Someone, id: string) => (await indexStates(ctx, scope, [{ id }])).get(id)
const become = (who: Someone, id: string, wanted: string) =>
  until(
    () => stateOf(who, id),
    (state) => state === wanted,
  )

describe('a search on the embedded backend', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await sharedGateway()
  })

  it('finds what was just stored, and what the backend made of it is the same memory', async () => {
    const who = await someone(gateway)
    const { id } = await who.remember('The heron stands in the reeds')
    expect((await search(who, 'heron')).found).toMatchObject([{ memory: { id }, similarity: expect.any(Number) }])
    await become(who, id, 'ready')
    const { found, backendAsked } = await search(who, 'heron')
    expect(found).toHaveLength(1)
    expect(backendAsked).toBe(true)
    expect((await search(who, 'heron', { similarityThreshold: 0.1 })).backendAsked).toBe(false)
    expect((await searchMemories(who.ctx, projectScope(who.ctx), { query: 'heron', limit: 9 })).found).toHaveLength(1)
  })

  it('finds Chinese by words and single characters', async () => {
    const who = await someone(gateway)
    const tea = await who.remember('用户喜欢喝绿茶')
    await who.remember('用户住在上海')
    for (const query of ['绿茶', '茶']) {
      const { found } = await search(who, query, { similarityThreshold: 0 })
      expect(found.map(({ memory }) => memory.id)).toEqual([tea.id])
    }
  })

  it('has a similarity of 1 for the same words, 0 for none in common, and nothing in between is below the threshold', async () => {
    const who = await someone(gateway)
    const same = await who.remember('prefers dark mode')
    const half = await who.remember('prefers light tables')
    await who.remember('cats')
    const { found } = await search(who, 'prefers dark mode', { similarityThreshold: 0 })
    expect(found.map(({ memory, similarity }) => [memory.id, Math.round((similarity ?? 0) * 1000)])).toEqual([
      [same.id, 1000],
      [half.id, 333],
    ])
    expect((await search(who, 'prefers dark mode', { similarityThreshold: 0.34 })).found).toHaveLength(1)
  })

  it('weighs similarity, importance and recency as asked', async () => {
    const who = await someone(gateway)
    const like = await who.remember('heron heron reeds', { importance: 0.1 })
    const grave = await who.remember(
      'heron and much else of weight',
      { importance: 0.9 },
      { row: { createdAt: daysAgo(300) } },
    )
    const first = async (weights?: object) =>
      (await search(who, 'heron reeds', { similarityThreshold: 0, ...(weights && { weights }) })).found[0]
    expect((await first({ similarity: 1, importance: 0, recency: 0 }))?.memory.id).toBe(like.id)
    expect((await first({ similarity: 0, importance: 1, recency: 0 }))?.memory.id).toBe(grave.id)
    expect((await first({ similarity: 0, importance: 0, recency: 1 }))?.memory.id).toBe(like.id)
    const { similarity, combinedScore } = (await first()) ?? {}
    const shown = (await rowOf(gateway, like.id))?.importance ?? 0
    expect(similarity).toBeCloseTo(1, 5)
    expect(combinedScore).toBeGreaterThanOrEqual(0.73 - 1e-6)
    expect(combinedScore).toBeLessThanOrEqual(0.7 + 0.3 * shown + 1e-6)
  })

  it('keeps to its filters, also in what the backend finds', async () => {
    const who = await someone(gateway)
    const chat = await who.remember('The heron of the chat', { source: 'chat', tags: ['a', 'b'] })
    const mail = await who.remember('The heron of the mail', { source: 'mail', tags: ['a'] })
    for (const { id } of [chat, mail]) await become(who, id, 'ready')
    const found = async (filter: object) =>
      (await search(who, 'heron', { filter })).found.map(({ memory }) => memory.id)
    expect(await found({ sources: ['chat'] })).toEqual([chat.id])
    expect(await found({ tags: ['a', 'b'] })).toEqual([chat.id])
    expect(await found({ tags: ['a'], sources: ['mail'] })).toEqual([mail.id])
    expect(await found({ since: new Date(Date.now() + 60_000) })).toEqual([])
  })

  it('counts an access of what it finds, which makes that more important', async () => {
    const who = await someone(gateway)
    const { id } = await who.remember('The heron', { importance: 0.5 })
    await search(who, 'heron')
    const row = await until(
      () => rowOf(gateway, id),
      (one) => one?.accessCount === 1,
    )
    expect(row?.importance).toBeCloseTo(0.51, 5)
    expect(row?.lastAccessedAt).toBeInstanceOf(Date)
  })
})

describe('a hostile backend', () => {
  let gateway: TestGateway
  let fake: FakeEveros
  beforeAll(async () => {
    fake = await startFakeEveros({ hostile: true })
    gateway = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: fake.url })
  })
  afterAll(async () => {
    await gateway.close()
    await fake.close()
  })

  it('that mixes in what others said has no memory of theirs found', async () => {
    const ada = await someone(gateway)
    const others = [await someone(gateway, ada, 'bob@example.com'), await someone(gateway)]
    for (const other of others) {
      const { id } = await other.remember('The password is swordfish')
      await become(other, id, 'ready')
    }
    const own = await ada.remember('The garden gate is green')
    await become(ada, own.id, 'ready')
    for (const query of ['password swordfish', 'garden gate', 'green']) {
      const { found, backendAsked } = await search(ada, query)
      expect(backendAsked).toBe(true)
      expect(found.every(({ memory }) => memory.id === own.id)).toBe(true)
      expect(JSON.stringify(found)).not.toContain('swordfish')
    }
  })
})

describe('a backend that is away, slow or refuses', () => {
  let backend: AwayBackend
  beforeAll(async () => {
    backend = await startAwayBackend()
  })
  afterAll(() => backend.close())
  afterEach(async () => {
    backend.fake.delay('search', 0)
    await backend.proxy.set({ mode: 'pass' })
  })

  it('does not keep a search waiting, which finds what the gateway knows', async () => {
    const who = await someone(backend.gateway)
    const { id } = await who.remember('The heron stands in the reeds')
    for (const mode of ['stall', 'refuse'] as const) {
      await backend.proxy.set({ mode })
      const began = performance.now()
      const { found, backendAsked } = await search(who, 'heron')
      expect(performance.now() - began).toBeLessThan(4_000)
      expect(backendAsked).toBe(false)
      expect(found).toMatchObject([{ memory: { id } }])
    }
  })

  it('keeps nothing from being stored, and learns it when it is back', async () => {
    const who = await someone(backend.gateway)
    await backend.proxy.set({ mode: 'refuse' })
    const { id } = await who.remember('The heron stands in the reeds')
    expect(await stateOf(who, id)).toBe('pending')
    expect(await memoryStats(who.ctx, who.scope)).toMatchObject({
      visible: 1,
      index: { ready: 0, pending: 1, failed: 0 },
    })
    await backend.proxy.set({ mode: 'pass' })
    const { services } = backend.gateway
    await until(
      async () => {
        await services.relay.drain((await rowOf(backend.gateway, id))?.sessionId ?? '')
        return stateOf(who, id)
      },
      (state) => state === 'ready',
    )
    expect((await search(who, 'heron')).found).toHaveLength(1)
  })

  it('leaves a memory that it refuses with the gateway, which says so, and finds it', async () => {
    const who = await someone(backend.gateway)
    backend.fake.failNext('add', { status: 422, code: 'INVALID' })
    const { id } = await who.remember('The heron stands in the reeds')
    await become(who, id, 'failed')
    await sweepOrphans(systemContextOf(backend.gateway), 0)
    expect(await getMemory(who.ctx, who.scope, id)).toMatchObject({ id })
    expect((await search(who, 'heron')).found).toMatchObject([{ memory: { id } }])
    expect(await memoryStats(who.ctx, who.scope)).toMatchObject({ index: { ready: 0, pending: 0, failed: 1 } })
    const updated = await updateMemory(who.ctx, who.scope, id, { content: 'The heron flies' })
    await become(who, id, 'ready')
    const left = await backend.gateway.services.db
      .select()
      .from(batches)
      .where(eq(batches.userId, who.ctx.caller.userId))
    expect(new Set(left.map(({ sessionId }) => sessionId))).toEqual(new Set([updated.sessionId]))
  })

  it("is told the speaker by name, also of a text that was changed, and of what is nobody's", async () => {
    const who = await someone(backend.gateway)
    const { id } = await who.remember('At first')
    await become(who, id, 'ready')
    backend.fake.takeRequests()
    await updateMemory({ ...who.ctx }, projectScope(who.ctx), id, { content: 'At last' })
    await become(who, id, 'ready')
    const nobody = await someone(backend.gateway, who, null)
    const [stored] = await storeMemories(nobody.ctx, [{ memory: { content: 'Said by the application' } }])
    await become(nobody, stored?.memory.id ?? '', 'ready')
    const names = backend.fake
      .takeRequests()
      .flatMap(({ body }) => (body.messages as { sender_name?: string }[] | undefined) ?? [])
      .map(({ sender_name }) => sender_name)
    expect(names.length).toBeGreaterThan(1)
    expect(names.every((name) => name !== undefined && name !== '')).toBe(true)
    expect(names[0]).toBe('ada@example.com')
  })
})
