import { openAttachment } from '../../../domain/attachments/open-attachment.ts'
import { findMemoryFile } from '../../../domain/memories/memory-files.ts'
import { userScope } from '../../../domain/memories/memory-scope.ts'
import { sendFile } from '../../../http/downloads.ts'
import { actAsEndUser } from '../auth.ts'
import { addRoute, type Router } from '../route.ts'
import { MEMORY, memoryId } from './records.ts'

/** The originals of what was uploaded: the gateway's addition to the API. */
export function addFileRoutes(router: Router): void {
  addRoute(router, 'GET', `${MEMORY}/files/:file`, { scope: 'read' }, async (c, sender) => {
    const ctx = await actAsEndUser(c, sender)
    c.set('ctx', ctx)
    const scope = userScope(ctx, ctx.caller.userId)
    const file = await findMemoryFile(ctx, scope, memoryId(c), c.req.param('file') ?? '')
    return sendFile(c, file, (range) => openAttachment(ctx, file, range))
  })
}
