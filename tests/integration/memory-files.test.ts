import { buffer } from 'node:stream/consumers'
import { eq } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { attachments } from '../../src/db/schema/attachments.ts'
import { openAttachment } from '../../src/domain/attachments/open-attachment.ts'
import { deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import { findMemoryFile, memoryFiles } from '../../src/domain/memories/memory-files.ts'
import { indexStates, memoryStats } from '../../src/domain/memories/memory-stats.ts'
import { searchMemories } from '../../src/domain/memories/search-memories.ts'
import { storeMemories } from '../../src/domain/memories/store-memories.ts'
import { updateMemory } from '../../src/domain/memories/update-memory.ts'
import { until } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { rowOf, someone, uploadOf } from '../helpers/memories.ts'
import { objectKeys } from '../helpers/stored.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const text = Buffer.from('The heron stands in the reeds.\n')

async function withFile() {
  const who = await someone(gateway)
  const uploads = [await uploadOf(gateway, 'bird.txt', text)]
  const memory = await who.remember('A note about a walk', {}, { uploads })
  const ready = (id = memory.id) =>
    until(
      () => indexStates(who.ctx, who.scope, [{ id }]),
      (states) => states.get(id) === 'ready',
    )
  const find = async (query: string) => (await searchMemories(who.ctx, who.scope, { query, limit: 5 })).found
  const files = async () => (await memoryFiles(who.ctx, who.scope, [memory])).get(memory.id) ?? []
  return { ...who, memory, ready, find, files }
}

describe('a file of a memory', () => {
  it('is listed and read with it, and what it says finds the memory', async () => {
    const { ctx, scope, memory, ready, find, files } = await withFile()
    const [file] = await files()
    expect(file).toMatchObject({ name: 'bird.txt', size: text.length, kind: 'doc', mimeType: 'text/plain' })
    const found = await findMemoryFile(ctx, scope, memory.number, file!.id)
    expect(await buffer(await openAttachment(ctx, found))).toEqual(text)
    const part = await openAttachment(ctx, found, { start: 4, end: 8 })
    expect((await buffer(part)).toString()).toBe('heron')
    await ready()
    expect(await find('heron reeds')).toMatchObject([
      { memory: { id: memory.id }, similarity: null, combinedScore: null },
    ])
    expect(await memoryStats(ctx, scope)).toMatchObject({ files: 1, fileBytes: text.length, index: { ready: 1 } })
  })

  it('stays when the text changes, and goes when the memory does', async () => {
    const { ctx, scope, memory, ready, find, files } = await withFile()
    const [before] = await files()
    const other = await updateMemory(ctx, scope, memory.id, { content: 'A note about a ride' })
    expect(other.sessionId).not.toBe(memory.sessionId)
    expect(await files()).toMatchObject([{ id: before!.id, uri: before!.uri }])
    const kept = await findMemoryFile(ctx, scope, memory.id, before!.id)
    expect(await buffer(await openAttachment(ctx, kept))).toEqual(text)
    await ready()
    await until(
      () => find('heron reeds'),
      (found) => found.length === 1,
    )
    const key = (await findMemoryFile(ctx, scope, memory.id, before!.id)).objectKey
    expect(objectKeys(gateway)).toContain(key)
    await deleteMemories(ctx, scope, [memory.id])
    expect(objectKeys(gateway)).not.toContain(key)
    expect(await find('heron reeds')).toEqual([])
    await expect(findMemoryFile(ctx, scope, memory.id, before!.id)).rejects.toMatchObject({ code: 'not_found' })
  })

  it("is nobody else's, nor another memory's", async () => {
    const { apiKey, ctx, scope, memory, files, remember } = await withFile()
    const [file] = await files()
    const bob = await someone(gateway, { apiKey }, 'bob@example.com')
    const theirs = await bob.remember('Mine')
    const notFound = { code: 'not_found' }
    await expect(findMemoryFile(bob.ctx, bob.scope, memory.id, file!.id)).rejects.toMatchObject(notFound)
    await expect(findMemoryFile(bob.ctx, bob.scope, theirs.id, file!.id)).rejects.toMatchObject(notFound)
    const { id } = await remember('Without a file')
    await expect(findMemoryFile(ctx, scope, id, file!.id)).rejects.toMatchObject(notFound)
    expect((await memoryFiles(bob.ctx, bob.scope, [memory])).get(memory.id)).toEqual([])
  })

  it('is taken back at once, if its memory is there already', async () => {
    const { ctx, memory } = await withFile()
    const uploads = [await uploadOf(gateway, 'again.txt', text)]
    const again = { memory: { content: 'A note about a walk' }, uploads }
    const [result] = await storeMemories(ctx, [again], { duplicatesFrom: 0.95 })
    expect(result).toMatchObject({ outcome: 'duplicate', memory: { id: memory.id } })
    const rows = await gateway.services.db.select().from(attachments).where(eq(attachments.userId, ctx.caller.userId))
    expect(rows.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual([
      'again.txt deleting',
      'bird.txt stored',
    ])
    expect((await rowOf(gateway, memory.id))?.content).toBe('A note about a walk')
  })
})
