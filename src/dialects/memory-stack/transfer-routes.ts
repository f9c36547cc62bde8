import type { Limits } from '../../config/config.ts'
import { importMemories } from '../../domain/memories/import-memories.ts'
import { listMemories } from '../../domain/memories/list-memories.ts'
import type { MemoryRow } from '../../domain/memories/queries.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { forMemoriesOf, forProject } from '../../http/service.ts'
import { originOf } from './conversation.ts'
import { toCsv } from './csv.ts'
import { type ShownMemory, showMemories } from './mapping.ts'
import { open, readBody, whoseOf } from './request.ts'
import { ExportBody, ImportBody, type ImportedMemory, MAX_IMPORTED } from './schemas.ts'

const PAGE = 100
/** One answer ends after as many memories as one import takes, or so much text; `next_cursor` goes on from there. */
const MOST_CHARACTERS = 8 * 1024 * 1024

export function transferRoutes(router: DialectRouter, limits: Limits): void {
  const readImport = jsonBody(limits.inlineBytes, (c) => open(c, 'write'))
  const readExport = jsonBody(limits.messagesBytes, (c) => open(c, 'read'))
  router.on('POST', slashed('/memories/import'), readImport, importAll)
  router.on('POST', slashed('/memories/export'), readExport, exportPage)
}

function importAll(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const { memories } = await readBody(c, ImportBody)
    const ctx = await forProject(c, await open(c, 'write'))
    await claim.begin(ctx, memories)
    await countUse(c, ctx, { requests: 1, adds: memories.length })
    const render = (stored: readonly MemoryRow[]) =>
      answer(200, {
        success: true,
        imported: stored.length,
        failed: 0,
        total: stored.length,
        memory_ids: stored.map(({ id }) => id),
      })
    return render(await importMemories(ctx, memories.map(toImport), claim.keep(render)))
  })
}

function toImport(given: ImportedMemory) {
  const endUser = given.user_id ?? given.end_user_id ?? 'self'
  return {
    endUser: endUser === 'self' ? undefined : endUser,
    memory: {
      content: given.content,
      origin: originOf(given),
      ...(given.memory_type && { type: given.memory_type }),
      ...(typeof given.confidence === 'number' && { confidence: given.confidence }),
      ...(given.metadata && { metadata: given.metadata }),
      ...(given.created_at && { createdAt: new Date(given.created_at) }),
    },
  }
}

async function exportPage(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  const { format, user_id: userId, cursor } = await readBody(c, ExportBody)
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(userId))
  const memories: ShownMemory[] = []
  let [next, characters] = [cursor ?? null, 0]
  do {
    const page = { limit: PAGE, order: 'asc' as const, ...(next !== null && { cursor: next }) }
    const { items, nextCursor } = await listMemories(ctx, scope, {}, page)
    memories.push(...(await showMemories(ctx, items)))
    characters += items.reduce((sum, { content }) => sum + content.length, 0)
    next = nextCursor
  } while (next !== null && memories.length < MAX_IMPORTED && characters < MOST_CHARACTERS)
  const told = { success: true, format, count: memories.length, next_cursor: next }
  return c.json(format === 'csv' ? { ...told, data: toCsv(memories) } : { ...told, memories })
}
