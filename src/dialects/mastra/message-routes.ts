import { openAttachment } from '../../domain/attachments/open-attachment.ts'
import { listThreadMessages } from '../../domain/threads/list-thread-messages.ts'
import { findThreadFile } from '../../domain/threads/thread-files.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { sendFile } from '../../http/downloads.ts'
import { toMessages, toThread } from './mapping.ts'
import { beginRequest, identifyReader, pathThread, readQuery } from './request.ts'
import { MessagesQuery } from './schemas.ts'

const THREAD = '/v1/memory/threads/:thread_id'

/** What was said in a thread, and the files that came with it. */
export function messageRoutes(router: DialectRouter): void {
  router.on('GET', slashed(`${THREAD}/messages`), list)
  router.on('GET', slashed(`${THREAD}/files/:file_id`), download)
}

async function list(c: HttpContext): Promise<Response> {
  const sender = await identifyReader(c)
  const page = readQuery(c, MessagesQuery)
  const { ctx, thread, resourceId } = await pathThread(c, await beginRequest(c, sender))
  const found = await listThreadMessages(ctx, thread, page)
  return c.json({ messages: toMessages(toThread(thread, resourceId), found), total: found.total })
}

async function download(c: HttpContext): Promise<Response> {
  const { ctx, thread } = await pathThread(c, await beginRequest(c, await identifyReader(c)))
  const file = await findThreadFile(ctx, thread, c.req.param('file_id') ?? '')
  c.set('ctx', ctx)
  return sendFile(c, file, (range) => openAttachment(ctx, file, range))
}
