import { answerFromMemories, type MemoryAnswer } from '../../../domain/memories/answer-from-memories.ts'
import { listMemories } from '../../../domain/memories/list-memories.ts'
import { unknownMemory, userScope } from '../../../domain/memories/memory-scope.ts'
import type { MemoryRow } from '../../../domain/memories/queries.ts'
import { type FoundMemory, searchMemories } from '../../../domain/memories/search-memories.ts'
import { actAsEndUser } from '../auth.ts'
import { invalidFields, parsePart } from '../errors.ts'
import { toFoundMemory } from '../mapping.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { RoutedBody, SynthesizeBody } from '../schemas.ts'

const ASK = { scope: 'read', uses: { searches: 1 }, body: 'json' } as const
/** There is one source of knowledge here. */
const ROUTES = ['auto', 'memory']

/** Answers of the chat model, from memories. */
export function addAnswerRoutes(router: Router): void {
  addRoute(router, 'POST', '/memory/search/routed', ASK, async (c, sender) => {
    const { query, k, route = 'auto', include_reasoning = false } = parsePart(RoutedBody, 'body', await readBody(c))
    if (!ROUTES.includes(route)) {
      const msg = `route: must be one of ${ROUTES.join(', ')}`
      throw invalidFields([{ type: 'enum', loc: ['body', 'route'], msg }])
    }
    const ctx = await actAsEndUser(c, sender)
    const { found } = await searchMemories(ctx, userScope(ctx, ctx.caller.userId), { query, limit: k })
    const given = await answerFromMemories(ctx, found.map(toRow), query)
    const reasoning = `The memories of the end user are the only source; ${found.length} had to do with the query.`
    return c.json({
      ...toAnswer(given),
      route: 'memory',
      reasoning: include_reasoning ? reasoning : null,
      memories: found.map((one) => toFoundMemory(one)),
    })
  })

  addRoute(router, 'POST', '/memory/synthesize', ASK, async (c, sender) => {
    const { query, memory_ids, max_memories } = parsePart(SynthesizeBody, 'body', await readBody(c))
    const ctx = await actAsEndUser(c, sender)
    const scope = userScope(ctx, ctx.caller.userId)
    const numbers = memory_ids && [...new Set(memory_ids)].slice(0, max_memories)
    const memories = numbers
      ? (await listMemories(ctx, scope, { numbers }, { limit: numbers.length, order: 'asc' })).items
      : (await searchMemories(ctx, scope, { query: query ?? '', limit: max_memories })).found.map(toRow)
    if (numbers && memories.length < numbers.length) throw unknownMemory()
    return c.json({ ...toAnswer(await answerFromMemories(ctx, memories, query)), memories_used: memories.length })
  })
}

function toRow({ memory }: FoundMemory): MemoryRow {
  return memory
}

function toAnswer({ answer, cited }: MemoryAnswer) {
  return { answer, citations: cited.map(({ number, content }) => ({ memory_id: number, text: content })) }
}
