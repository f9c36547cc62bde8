import { inArray } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { memories } from '../../src/db/schema/memories.ts'
import { deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import { listMemories } from '../../src/domain/memories/list-memories.ts'
import { projectScope } from '../../src/domain/memories/memory-scope.ts'
import { storeMemories } from '../../src/domain/memories/store-memories.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { someone } from '../helpers/memories.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const plan = fc.record({
  order: fc.constantFrom('asc' as const, 'desc' as const),
  limit: fc.integer({ min: 1, max: 5 }),
  ofProject: fc.boolean(),
  /** When each memory was made: some at the same microsecond. */
  instants: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
  /** What happens between two pages: one is stored, or the one at this place is deleted. */
  between: fc.array(fc.oneof(fc.constant('store' as const), fc.nat(11)), { maxLength: 6 }),
})

describe('pages of memories', () => {
  it('repeat none and leave out none that was there all the time, whatever comes and goes meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ order, limit, ofProject, instants, between }) => {
        const who = await someone(gateway)
        const scope = ofProject ? projectScope(who.ctx) : who.scope
        const stored = await storeMemories(
          who.ctx,
          instants.map((_, index) => ({ memory: { content: `Number ${index}` } })),
        )
        const ids = stored.map(({ memory }) => memory.id)
        for (const [index, instant] of instants.entries()) {
          const createdAt = new Date(Date.UTC(2026, 0, 1) + instant)
          await gateway.services.db
            .update(memories)
            .set({ createdAt })
            .where(inArray(memories.id, [ids[index]!]))
        }
        const gone = new Set<string>()
        const seen: string[] = []
        let cursor: string | undefined
        for (let page = 0; ; page++) {
          const { items, nextCursor } = await listMemories(who.ctx, scope, {}, { limit, order, cursor })
          seen.push(...items.map(({ id }) => id))
          if (nextCursor === null) break
          cursor = nextCursor
          const event = between[page]
          if (event === 'store') await who.remember('Meanwhile')
          const id = typeof event === 'number' ? ids[event % ids.length] : undefined
          if (id !== undefined) {
            gone.add(id)
            await deleteMemories(who.ctx, who.scope, [id])
          }
        }
        expect(new Set(seen).size).toBe(seen.length)
        expect(ids.filter((id) => !gone.has(id) && !seen.includes(id))).toEqual([])
        const places = seen.filter((id) => ids.includes(id)).map((id) => instants[ids.indexOf(id)]!)
        expect(places).toEqual(places.toSorted((one, other) => (order === 'asc' ? one - other : other - one)))
      }),
      { numRuns: 25 },
    )
  }, 120_000)

  it('lose nothing to what is stored by many at once', async () => {
    const who = await someone(gateway)
    const first = await Promise.all(Array.from({ length: 12 }, (_, index) => who.remember(`Before ${index}`)))
    const writing = Promise.all(Array.from({ length: 12 }, (_, index) => who.remember(`Meanwhile ${index}`)))
    for (const order of ['asc', 'desc'] as const) {
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await listMemories(who.ctx, who.scope, {}, { limit: 3, order, cursor })
        seen.push(...page.items.map(({ id }) => id))
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
      expect(new Set(seen).size).toBe(seen.length)
      expect(first.filter(({ id }) => !seen.includes(id))).toEqual([])
    }
    await writing
  })
})
