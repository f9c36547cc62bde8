import type { Limits } from '../../config/config.ts'
import { openAttachment } from '../../domain/attachments/open-attachment.ts'
import type { AlsoStore, MemoryScope } from '../../domain/context.ts'
import { isMemoryId } from '../../domain/ids.ts'
import { archiveMemories, deleteMemories } from '../../domain/memories/delete-memories.ts'
import { getMemory } from '../../domain/memories/get-memory.ts'
import { listMemories } from '../../domain/memories/list-memories.ts'
import { findMemoryFile } from '../../domain/memories/memory-files.ts'
import { asOwner, unknownMemory } from '../../domain/memories/memory-scope.ts'
import type { MemoryRow } from '../../domain/memories/queries.ts'
import { updateMemory } from '../../domain/memories/update-memory.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { sendFile } from '../../http/downloads.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { type AdmittedContext, forMemoriesOf } from '../../http/service.ts'
import { showMemories, showMemory } from './mapping.ts'
import { memoryIdOf, open, readBody, readQuery, whoseOf } from './request.ts'
import { DeleteBatchBody, DeleteQuery, filterOf, ListQuery, PatchBody } from './schemas.ts'

/** Listing and deleting several. */
export function memoryRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'write'))
  router.on('GET', slashed('/memories'), list)
  router.on('DELETE', slashed('/memories/batch'), readJson, removeBatch)
}

/** One memory. These take any one segment after `/memories/`: they come after all others. */
export function singleMemoryRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'write'))
  router.on('GET', slashed('/memories/:memory_id/files/:file_id'), download)
  router.on('GET', slashed('/memories/:memory_id'), get)
  router.on('PATCH', slashed('/memories/:memory_id'), readJson, patch)
  router.on('DELETE', slashed('/memories/:memory_id'), remove)
}

async function list(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  const query = readQuery(c, ListQuery)
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(query.user_id))
  const filter = filterOf(query)
  const { limit, order, cursor } = query
  const { items, nextCursor } = await listMemories(ctx, scope, filter, { limit, order, cursor })
  const shown = await showMemories(ctx, items)
  // The gateway keeps none.
  const results = query.include_embedding ? shown.map((memory) => ({ ...memory, embedding: null })) : shown
  return c.json({ success: true, count: results.length, next_cursor: nextCursor, results })
}

async function get(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, 'all')
  return c.json(await showMemory(ctx, await getMemory(ctx, scope, memoryIdOf(c))))
}

async function download(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, 'all')
  const file = await findMemoryFile(ctx, scope, memoryIdOf(c), c.req.param('file_id') ?? '')
  c.set('ctx', asOwner(ctx, file))
  return sendFile(c, file, (range) => openAttachment(ctx, file, range))
}

function patch(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const id = memoryIdOf(c)
    const { content, memory_type: type, confidence, metadata } = await readBody(c, PatchBody)
    const { ctx, scope } = await forMemoriesOf(c, await open(c, 'write'), 'all')
    const given = Object.entries({ content, type, confidence, metadata }).filter(([, value]) => value != null)
    const changes = Object.fromEntries(given)
    await claim.begin(ctx, changes)
    await countUse(c, ctx, { requests: 1 })
    const show = async (memory: MemoryRow, db = ctx.services.db) => ({
      body: await showMemory(ctx, memory, db),
      subject: { userId: memory.userId, sessionId: memory.sessionId },
    })
    const keep = claim.keep(
      ({ body }: Awaited<ReturnType<typeof show>>) => answer(200, body),
      ({ subject }) => subject,
    )
    const updated = await updateMemory(ctx, scope, id, changes, async (tx, memory) => keep(tx, await show(memory, tx)))
    return answer(200, (await show(updated)).body)
  })
}

function remove(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const service = await open(c, 'write')
    const { hard } = readQuery(c, DeleteQuery)
    const id = memoryIdOf(c)
    const { ctx, scope } = await forMemoriesOf(c, service, 'all')
    await claim.begin(ctx)
    await countUse(c, ctx, { requests: 1 })
    const render = (rows: readonly MemoryRow[]) => answer(200, toDeleted(rows, hard))
    const keep = claim.keep(render)
    const rows = await takeAway(ctx, scope, [id], hard, async (tx, found) => {
      if (found.length === 0) throw unknownMemory()
      await keep(tx, found)
    })
    return render(rows)
  })
}

/** Ids that name no memory of the project are left out of the count. */
function removeBatch(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const { memory_ids: ids, hard } = await readBody(c, DeleteBatchBody)
    const { ctx, scope } = await forMemoriesOf(c, await open(c, 'write'), 'all')
    await claim.begin(ctx, { ids, hard })
    await countUse(c, ctx, { requests: 1 })
    const render = (rows: readonly MemoryRow[]) => answer(200, toDeleted(rows, hard))
    const known = ids.filter(isMemoryId).map((id) => id.toLowerCase())
    return render(await takeAway(ctx, scope, known, hard, claim.keep(render)))
  })
}

function takeAway(
  ctx: AdmittedContext,
  scope: MemoryScope,
  ids: readonly string[],
  hard: boolean,
  also: AlsoStore<readonly MemoryRow[]>,
): Promise<readonly MemoryRow[]> {
  return hard ? deleteMemories(ctx, scope, ids, also) : archiveMemories(ctx, scope, ids, also)
}

function toDeleted(rows: readonly MemoryRow[], hard: boolean) {
  return { success: true, deleted_count: rows.length, hard_delete: hard }
}
