import { performance } from 'node:perf_hooks'
import { composePrompt } from '../../../domain/memories/compose-prompt.ts'
import { linkedMemories } from '../../../domain/memories/linked-memories.ts'
import { memoryFiles } from '../../../domain/memories/memory-files.ts'
import { userScope } from '../../../domain/memories/memory-scope.ts'
import { DEFAULT_WEIGHTS, type FoundMemory, searchMemories } from '../../../domain/memories/search-memories.ts'
import type { HttpContext } from '../../../http/context.ts'
import { actAsEndUser, type Sender } from '../auth.ts'
import { parsePart } from '../errors.ts'
import { toFilter, toFoundMemory } from '../mapping.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { ComposeBody, QueryBody } from '../schemas.ts'

const NOTHING_FOUND = { memories: [], context: null, latency_ms: 0, session_id: null, query_intent: null }
/** So many memories links may add to what a search found. */
const MOST_LINKED = 50

export function addQueryRoutes(router: Router): void {
  for (const path of ['/memory/query', '/memory/retrieve']) {
    const rules = { scope: 'read', uses: { searches: 1 }, overQuota: NOTHING_FOUND, body: 'json' } as const
    addRoute(router, 'POST', path, rules, query)
  }

  addRoute(
    router,
    'POST',
    '/memory/compose',
    { scope: 'read', uses: { searches: 1 }, body: 'json' },
    async (c, sender) => {
      const input = parsePart(ComposeBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender, input.end_user_id)
      const { prompt, memoriesUsed, tokenCount, truncated } = await composePrompt(
        ctx,
        userScope(ctx, ctx.caller.userId),
        { template: input.prompt_template, recallK: input.recall_k, maxTokens: input.max_tokens },
      )
      return c.json({ composed_prompt: prompt, memories_used: memoriesUsed, token_count: tokenCount, truncated })
    },
  )
}

async function query(c: HttpContext, sender: Sender): Promise<Response> {
  const start = performance.now()
  const input = parsePart(QueryBody, 'body', await readBody(c))
  const ctx = await actAsEndUser(c, sender, input.end_user_id)
  const scope = userScope(ctx, ctx.caller.userId)
  const filter = toFilter(input.filters)
  const { found } = await searchMemories(ctx, scope, {
    query: input.query,
    limit: input.k,
    filter,
    weights: toWeights(input.weights),
  })
  const ids = found.map(({ memory }) => memory.id)
  const depth = input.traversal_depth
  const linked = await linkedMemories(ctx, scope, ids, { depth, limit: MOST_LINKED, filter })
  const unscored = linked.map((memory): FoundMemory => ({ memory, similarity: null, combinedScore: null }))
  const all = [...found, ...unscored]
  const files = await memoryFiles(
    ctx,
    scope,
    all.map(({ memory }) => memory),
  )
  const memories = all.map((one) => toFoundMemory(one, files.get(one.memory.id)))
  return c.json({
    memories,
    context: memories.length > 0 ? memories.map(({ text }) => `- ${text}`).join('\n') : null,
    latency_ms: Math.round((performance.now() - start) * 100) / 100,
    session_id: input.session_id ?? null,
    query_intent: null,
  })
}

function toWeights(weights: QueryBody['weights']) {
  if (!weights) return DEFAULT_WEIGHTS
  return {
    similarity: weights.semantic ?? DEFAULT_WEIGHTS.similarity,
    importance: weights.importance ?? DEFAULT_WEIGHTS.importance,
    recency: weights.recency ?? DEFAULT_WEIGHTS.recency,
  }
}
