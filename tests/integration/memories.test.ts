import { beforeAll, describe, expect, it } from 'vitest'
import { archiveMemories, deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import { getMemory } from '../../src/domain/memories/get-memory.ts'
import { listMemories } from '../../src/domain/memories/list-memories.ts'
import { projectScope, userScope } from '../../src/domain/memories/memory-scope.ts'
import { searchMemories } from '../../src/domain/memories/search-memories.ts'
import { storeMemories } from '../../src/domain/memories/store-memories.ts'
import { updateMemory } from '../../src/domain/memories/update-memory.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { endUserContext, makeAccount } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

async function someone() {
  const { apiKey } = await makeAccount(gateway)
  const ctx = await endUserContext(gateway, apiKey, 'ada@example.com')
  const scope = userScope(ctx, ctx.caller.userId)
  const remember = async (content: string, more: object = {}) => {
    const [stored] = await storeMemories(ctx, [{ memory: { content, ...more } }])
    if (!stored) throw new Error('nothing stored')
    return stored.memory
  }
  return { apiKey, ctx, scope, remember }
}

describe('a memory', () => {
  it('is found as soon as it is stored, by its words', async () => {
    const { ctx, scope, remember } = await someone()
    const editor = await remember('User prefers dark mode and uses VS Code')
    await remember('The cat is called Miso')
    const { found } = await searchMemories(ctx, scope, {
      query: 'What editor does the user prefer?',
      limit: 5,
      similarityThreshold: 0.3,
    })
    expect(found.map(({ memory }) => memory.id)).toEqual([editor.id])
    expect(found[0]?.similarity).toBeCloseTo(2 / Math.sqrt(3 * 7), 5)
  })

  it('has a new text that is found in the place of the old one', async () => {
    const { ctx, scope, remember } = await someone()
    const { id } = await remember('Lives in Lisbon')
    const updated = await updateMemory(ctx, scope, id, { content: 'Lives in Porto' })
    expect(updated.content).toBe('Lives in Porto')
    const search = async (query: string) =>
      (await searchMemories(ctx, scope, { query, limit: 5, similarityThreshold: 0.1 })).found.map(
        (one) => one.memory.id,
      )
    expect(await search('Porto')).toEqual([id])
    expect(await search('Lisbon')).toEqual([])
  })

  it('has the key points of its text, also of a new one', async () => {
    const { ctx, scope, remember } = await someone()
    const about = (city: string) => `${'The day was long and nothing came of it. '.repeat(6)}I live in ${city}.`
    const { id, keyPoints } = await remember(about('Lisbon'), { summary: 'Lisbon' })
    expect(keyPoints).toContain('I live in Lisbon.')
    const updated = await updateMemory(ctx, scope, id, { content: about('Porto') })
    expect(updated.keyPoints).toContain('I live in Porto.')
    expect(updated.keyPoints).not.toContain('I live in Lisbon.')
    expect(updated.summary).toBeNull()
    const short = await updateMemory(ctx, scope, id, { content: 'Lives in Faro' })
    expect(short.keyPoints).toEqual([])
  })

  it('that is archived or deleted is gone', async () => {
    const { ctx, scope, remember } = await someone()
    const [one, two] = [await remember('First'), await remember('Second')]
    await archiveMemories(ctx, scope, [one.id])
    await deleteMemories(ctx, scope, [two.id])
    await expect(getMemory(ctx, scope, one.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(getMemory(ctx, scope, two.number)).rejects.toMatchObject({ code: 'not_found' })
    expect((await listMemories(ctx, scope, {}, { limit: 10, order: 'desc' })).items).toEqual([])
  })

  it('is told from one with the same words, if asked', async () => {
    const { ctx, remember } = await someone()
    const first = await remember('User prefers dark mode')
    const [again] = await storeMemories(ctx, [{ memory: { content: 'The user prefers dark mode.' } }], {
      duplicatesFrom: 0.95,
    })
    expect(again).toMatchObject({ outcome: 'duplicate', by: 'content', memory: { id: first.id } })
  })

  it.each([
    ['I love tea', 'I do not love tea'],
    ['I love tea', "I don't love tea"],
    ['I love tea', 'Do I love tea?'],
    ['我爱喝绿茶', '我不爱喝绿茶'],
  ])('is not one with the same words that denies or asks it: %s, %s', async (one, other) => {
    const { ctx, remember } = await someone()
    await remember(one)
    const [stored] = await storeMemories(ctx, [{ memory: { content: other } }], { duplicatesFrom: 0.7 })
    expect(stored).toMatchObject({ outcome: 'stored', memory: { content: other } })
    const [again] = await storeMemories(ctx, [{ memory: { content: other } }], { duplicatesFrom: 0.95 })
    expect(again).toMatchObject({ outcome: 'duplicate', memory: { content: other } })
  })

  it("is nobody else's: not another project's, account's or user's", async () => {
    const { apiKey, remember } = await someone()
    const { id } = await remember('A secret')
    const { apiKey: otherKey } = await makeAccount(gateway)
    const others = [
      await endUserContext(gateway, apiKey, 'bob@example.com'),
      await endUserContext(gateway, apiKey, 'ada@example.com', 'other'),
      await endUserContext(gateway, otherKey, 'ada@example.com'),
    ]
    for (const ctx of others) {
      const scope = userScope(ctx, ctx.caller.userId)
      await expect(getMemory(ctx, scope, id)).rejects.toMatchObject({ code: 'not_found' })
      expect((await searchMemories(ctx, scope, { query: 'secret', limit: 5 })).found).toEqual([])
      expect(await deleteMemories(ctx, scope, [id])).toEqual([])
    }
    const [bob] = others
    if (!bob) throw new Error('no one')
    expect((await getMemory(bob, projectScope(bob), id)).id).toBe(id)
  })
})
