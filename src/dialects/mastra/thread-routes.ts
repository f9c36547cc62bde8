import { GatewayError } from '../../domain/errors.ts'
import { cloneThread } from '../../domain/threads/clone-thread.ts'
import { createThread } from '../../domain/threads/create-thread.ts'
import { deleteThread } from '../../domain/threads/delete-thread.ts'
import { listThreadMessages } from '../../domain/threads/list-thread-messages.ts'
import { listThreads, resourceNames } from '../../domain/threads/list-threads.ts'
import { answersOfThread, type ThreadRow } from '../../domain/threads/thread-context.ts'
import { updateThread } from '../../domain/threads/update-thread.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { forResource } from '../../http/gateway-key.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { toMessages, toThread } from './mapping.ts'
import {
  beginRequest,
  identifyReader,
  identifyWriter,
  namedResource,
  pathThread,
  readBody,
  readQuery,
} from './request.ts'
import { CloneBody, CreateBody, cloneInput, ListQuery, MAX_PAGE, threadInput, UpdateBody } from './schemas.ts'

const THREADS = '/v1/memory/threads'
const THREAD = `${THREADS}/:thread_id`

/** Threads as such. */
export function threadRoutes(router: DialectRouter): void {
  router.on('GET', slashed(THREADS), list)
  router.on('POST', slashed(THREADS), create)
  router.on('GET', slashed(THREAD), get)
  router.on('PATCH', slashed(THREAD), update)
  router.on('DELETE', slashed(THREAD), remove)
  router.on('POST', slashed(`${THREAD}/clone`), clone)
}

async function list(c: HttpContext): Promise<Response> {
  const sender = await identifyReader(c)
  const page = readQuery(c, ListQuery)
  const { ctx, userId } = await beginRequest(c, sender)
  const { threads, total } = await listThreads(ctx, { ...page, userId })
  const names = await resourceNames(ctx, threads)
  return c.json({ threads: threads.map((thread) => toThread(thread, names.get(thread.userId) ?? '')), total })
}

function create(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const sender = await identifyWriter(c)
    const { id, resourceId: inBody, ...fields } = await readBody(c, CreateBody)
    const resourceId = namedResource(c, inBody) ?? sender.user?.externalId
    if (resourceId === undefined)
      throw refuseResource('is needed: it names the user or entity that the thread belongs to.')
    const ctx = await forResource(c, sender, resourceId)
    const input = { ...threadInput(fields), ...(id != null && { id }) }
    await claim.begin(ctx, { ...input, resourceId })
    const show = (thread: ThreadRow) => answer(201, { thread: toThread(thread, resourceId) })
    return show(await createThread(ctx, input, claim.keep(show, answersOfThread)))
  })
}

async function get(c: HttpContext): Promise<Response> {
  const { thread, resourceId } = await pathThread(c, await beginRequest(c, await identifyReader(c)))
  return c.json({ thread: toThread(thread, resourceId) })
}

function update(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const sender = await identifyWriter(c)
    const { resourceId: wanted, ...fields } = await readBody(c, UpdateBody)
    const request = await beginRequest(c, sender)
    await claim.begin(request.ctx, { ...fields, wanted, resourceId: request.resourceId })
    const { ctx, thread, resourceId } = await pathThread(c, request)
    if (wanted != null && wanted !== resourceId)
      throw refuseResource('cannot be changed: a thread stays with its resource.')
    const show = (changed: ThreadRow) => answer(200, { thread: toThread(changed, resourceId) })
    return show(await updateThread(ctx, thread, threadInput(fields), claim.keep(show, answersOfThread)))
  })
}

function remove(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const request = await beginRequest(c, await identifyWriter(c))
    await claim.begin(request.ctx, { resourceId: request.resourceId })
    const { ctx, thread } = await pathThread(c, request)
    const done = () => answer(200, { ok: true })
    await deleteThread(ctx, thread, claim.keep(done))
    return done()
  })
}

function clone(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const sender = await identifyWriter(c)
    const body = await readBody(c, CloneBody)
    const request = await beginRequest(c, sender)
    await claim.begin(request.ctx, { ...body, named: request.resourceId })
    const source = await pathThread(c, request)
    const { ctx, resourceId } = source
    if (body.resourceId != null && body.resourceId !== resourceId) {
      throw refuseResource('cannot be another one: a clone belongs to the resource of its source.')
    }
    const show = (thread: ThreadRow) => ({ thread: toThread(thread, resourceId) })
    const { thread } = await cloneThread(
      ctx,
      source.thread,
      cloneInput(body),
      claim.keep(
        (cloned) => answer(201, show(cloned.thread)),
        (cloned) => answersOfThread(cloned.thread),
      ),
    )
    const page = await listThreadMessages(ctx, thread, { limit: MAX_PAGE, offset: 0, order: 'asc' })
    const shown = show(thread)
    return answer(201, { ...shown, clonedMessages: toMessages(shown.thread, page) })
  })
}

function refuseResource(why: string): GatewayError {
  return new GatewayError('invalid_request', `resourceId ${why}`, {
    details: { fields: [{ path: 'resourceId', message: why }] },
  })
}
