import type { Limits } from '../../config/config.ts'
import { openAttachment } from '../../domain/attachments/open-attachment.ts'
import type { UserContext } from '../../domain/context.ts'
import { isMemoryId } from '../../domain/ids.ts'
import { deleteMemories } from '../../domain/memories/delete-memories.ts'
import { getMemory } from '../../domain/memories/get-memory.ts'
import { countMatching, listMemories } from '../../domain/memories/list-memories.ts'
import { findMemoryFile } from '../../domain/memories/memory-files.ts'
import { asOwner, unknownMemory } from '../../domain/memories/memory-scope.ts'
import { type MemoryToStore, type StoredMemory, storeMemories } from '../../domain/memories/store-memories.ts'
import { bearerToken, type HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { sendFile } from '../../http/downloads.ts'
import { checkJsonValues } from '../../http/json-values.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { answer, answerOnce, type RouteClaim } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { forEndUser, forMemoriesOf, identifyKey } from '../../http/service.ts'
import { identityOf, withKnownUpload } from '../../http/uploads.ts'
import { ValidationError } from './errors.ts'
import { showMemories, showMemory } from './mapping.ts'
import { open, readBody, readQuery, validate } from './request.ts'
import { ListQuery, StoreBody } from './schemas.ts'

const FORM_FIELDS = Object.keys(StoreBody.shape)
const isForm = (c: HttpContext) => /^multipart\/form-data\b/i.test(c.req.header('content-type') ?? '')

/** Storing, listing, reading and deleting. */
export function memoryRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'write'))
  router.on('POST', slashed('/v1/memory'), (c, next) => (isForm(c) ? next() : readJson(c, next)))
  router.on('POST', slashed('/v1/memory'), (c) => (isForm(c) ? storeForm(c) : storeJson(c)))
  router.on('GET', slashed('/v1/memory'), list)
  router.on('GET', slashed('/v1/memory/:memory_id/files/:file_id{att_.+}'), download)
}

/** These take any one segment after `/v1/memory/`: they come after all others. */
export function singleMemoryRoutes(router: DialectRouter): void {
  router.on('GET', slashed('/v1/memory/:memory_id'), get)
  router.on('DELETE', slashed('/v1/memory/:memory_id'), remove)
}

function storeJson(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const { external_user_id: user, content, metadata } = await readBody(c, StoreBody)
    const ctx = await forEndUser(c, await open(c, 'write'), user)
    const memory = { content, metadata: metadata ?? {} }
    await claim.begin(ctx, memory)
    return store(c, ctx, claim, { memory })
  })
}

/** A memory with files: the fields as form fields, `metadata` as JSON. */
function storeForm(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const service = await open(c, 'write')
    const { keyId } = await identifyKey(c, bearerToken(c))
    return withKnownUpload(c, { id: keyId }, FORM_FIELDS, async ({ input, files }) => {
      const fields = { ...input, ...(input['metadata'] !== undefined && { metadata: parseField(input['metadata']) }) }
      const { external_user_id: user, content, metadata } = validate(StoreBody, fields, 'body')
      const ctx = await forEndUser(c, service, user)
      const memory = { content, metadata: metadata ?? {} }
      await claim.begin(ctx, { ...memory, files: files.map(identityOf) })
      return store(c, ctx, claim, { memory, uploads: files })
    })
  })
}

function parseField(text: string): unknown {
  checkJsonValues(text)
  try {
    return JSON.parse(text)
  } catch {
    throw new ValidationError([{ type: 'json_invalid', loc: ['body', 'metadata'], msg: 'Invalid JSON' }])
  }
}

async function store(c: HttpContext, ctx: UserContext, claim: RouteClaim, item: MemoryToStore) {
  await countUse(c, ctx, { requests: 1, adds: 1 })
  const show = async ([stored]: readonly StoredMemory[], db = ctx.services.db) => {
    if (!stored) throw new Error('One memory is stored as one.')
    return { body: await showMemory(ctx, stored.memory, db), sessionId: stored.memory.sessionId }
  }
  const keep = claim.keep(
    ({ body }: Awaited<ReturnType<typeof show>>) => answer(201, body),
    ({ sessionId }) => ({ sessionId }),
  )
  const stored = await storeMemories(ctx, [item], {}, async (tx, results) => keep(tx, await show(results, tx)))
  return answer(201, (await show(stored)).body)
}

async function list(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  const { limit, offset, external_user_id: endUser } = readQuery(c, ListQuery)
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, endUser === undefined ? 'all' : { endUser })
  const { items } = await listMemories(ctx, scope, {}, { limit, offset, order: 'desc' })
  const total = await countMatching(ctx, scope, {})
  return c.json({ memories: await showMemories(ctx, items), total_count: total, limit, offset })
}

async function get(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, 'all')
  const memory = await getMemory(ctx, scope, memoryIdOf(c))
  return c.json(await showMemory(ctx, memory))
}

async function download(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, 'all')
  const fileId = c.req.param('file_id') ?? ''
  const file = await findMemoryFile(ctx, scope, memoryIdOf(c), fileId)
  c.set('ctx', asOwner(ctx, file))
  return sendFile(c, file, (range) => openAttachment(ctx, file, range))
}

function remove(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const service = await open(c, 'write')
    const { ctx, scope } = await forMemoriesOf(c, service, 'all')
    await claim.begin(ctx)
    await countUse(c, ctx, { requests: 1 })
    const id = memoryIdOf(c)
    const done = () => answer(200, { status: 'success', message: 'Memory deleted', memory_id: id })
    const keep = claim.keep(done)
    await deleteMemories(ctx, scope, [id], async (tx, deleted) => {
      if (deleted.length === 0) throw unknownMemory()
      await keep(tx, deleted)
    })
    return done()
  })
}

function memoryIdOf(c: HttpContext): string {
  const id = c.req.param('memory_id') ?? ''
  if (!isMemoryId(id)) throw unknownMemory()
  return id.toLowerCase()
}
