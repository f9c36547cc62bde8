import type { z } from 'zod'
import type { Limits } from '../../config/config.ts'
import { searchMemories } from '../../domain/memories/search-memories.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, rounded, slashed } from '../../http/dialect.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { countUse } from '../../http/quota.ts'
import { forMemoriesOf } from '../../http/service.ts'
import { showMemories } from './mapping.ts'
import { open, readBody, readQuery } from './request.ts'
import { SearchFields } from './schemas.ts'

export function searchRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'read'))
  router.on('POST', slashed('/v1/memory/search'), readJson, async (c) => search(c, await readBody(c, SearchFields)))
  router.on('GET', slashed('/v1/memory/search'), async (c) => {
    await open(c, 'read')
    return search(c, readQuery(c, SearchFields))
  })
}

async function search(c: HttpContext, fields: z.infer<typeof SearchFields>): Promise<Response> {
  const { query, limit, external_user_id: endUser, similarity_threshold: similarityThreshold } = fields
  const service = await open(c, 'read')
  await countUse(c, service, { requests: 1, searches: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, endUser ? { endUser } : 'all')
  const { found } = await searchMemories(ctx, scope, { query, limit, similarityThreshold })
  const shown = await showMemories(
    ctx,
    found.map(({ memory }) => memory),
  )
  const results = shown.map((memory, index) => ({
    memory,
    similarity: rounded(found[index]?.similarity),
    combined_score: rounded(found[index]?.combinedScore),
  }))
  return c.json({ results, total_count: results.length })
}
