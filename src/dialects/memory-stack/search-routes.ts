import { searchMemories } from '../../domain/memories/search-memories.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, rounded, slashed } from '../../http/dialect.ts'
import { countUse } from '../../http/quota.ts'
import { forMemoriesOf } from '../../http/service.ts'
import { originOf } from './conversation.ts'
import { showMemories } from './mapping.ts'
import { open, readQuery, whoseOf } from './request.ts'
import { filterOf, SearchQuery } from './schemas.ts'

export function searchRoutes(router: DialectRouter): void {
  router.on('GET', slashed('/memories/search'), search)
}

/**
 * `text` looks at words alone. The other modes are one here: words, and what the backend finds; the answer says which it was.
 */
async function search(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  const query = readQuery(c, SearchQuery)
  await countUse(c, service, { requests: 1, searches: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(query.user_id))
  const filter = { ...filterOf(query), origin: originOf(query) }
  const isTextAlone = query.mode === 'text'
  const { found } = await searchMemories(ctx, scope, {
    query: query.query,
    limit: query.limit,
    filter,
    ...(isTextAlone && { similarityThreshold: 0 }),
  })
  const shown = await showMemories(
    ctx,
    found.map(({ memory }) => memory),
  )
  const results = shown.map((memory, index) => ({
    ...memory,
    similarity: rounded(found[index]?.similarity),
    score: rounded(found[index]?.combinedScore),
  }))
  return c.json({ success: true, count: results.length, mode: isTextAlone ? 'text' : 'hybrid', results })
}
