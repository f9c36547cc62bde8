import { openAttachment } from '../../domain/attachments/open-attachment.ts'
import { threadItself } from '../../domain/idempotency/answer-subject.ts'
import { addThreadMessages } from '../../domain/threads/add-thread-messages.ts'
import { listThreadMessages } from '../../domain/threads/list-thread-messages.ts'
import type { StoredMessages } from '../../domain/threads/store-exchange.ts'
import { findThreadFile } from '../../domain/threads/thread-files.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { sendFile } from '../../http/downloads.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { toMessages, toThread } from './mapping.ts'
import { beginRequest, identifyReader, identifyWriter, pathThread, readBody, readQuery } from './request.ts'
import { MessagesBody, MessagesQuery, messagesInput } from './schemas.ts'

const THREAD = '/v1/memory/threads/:thread_id'

/** What was said in a thread, and the files that came with it. */
export function messageRoutes(router: DialectRouter): void {
  router.on('GET', slashed(`${THREAD}/messages`), list)
  router.on('POST', slashed(`${THREAD}/messages`), add)
  router.on('GET', slashed(`${THREAD}/files/:file_id`), download)
}

async function list(c: HttpContext): Promise<Response> {
  const sender = await identifyReader(c)
  const page = readQuery(c, MessagesQuery)
  const { ctx, thread, resourceId } = await pathThread(c, await beginRequest(c, sender))
  const found = await listThreadMessages(ctx, thread, page)
  return c.json({ messages: toMessages(toThread(thread, resourceId), found), total: found.total })
}

function add(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const sender = await identifyWriter(c)
    const input = messagesInput(await readBody(c, MessagesBody))
    const request = await beginRequest(c, sender)
    await claim.begin(request.ctx, { input, resourceId: request.resourceId })
    const { ctx, thread, resourceId } = await pathThread(c, request)
    const show = ({ rows }: StoredMessages) => {
      const stored = { messages: rows, attachments: new Map() }
      return answer(201, { messages: toMessages(toThread(thread, resourceId), stored) })
    }
    const keep = claim.keep(show, () => threadItself(thread))
    return show(await addThreadMessages(ctx, thread, input, keep))
  })
}

async function download(c: HttpContext): Promise<Response> {
  const { ctx, thread } = await pathThread(c, await beginRequest(c, await identifyReader(c)))
  const file = await findThreadFile(ctx, thread, c.req.param('file_id') ?? '')
  c.set('ctx', ctx)
  return sendFile(c, file, (range) => openAttachment(ctx, file, range))
}
