import { createRoute, z } from '@hono/zod-openapi'
import { openAttachment, requireAttachment } from '../../domain/attachments/open-attachment.ts'
import { cleanText } from '../../domain/text-schemas.ts'
import { authenticate } from '../context.ts'
import { sendFile } from '../downloads.ts'
import { createRouter } from '../router.ts'
import { CredentialQuery, errorResponses, fileResponses } from '../schemas.ts'

const contentRoute = createRoute({
  method: 'get',
  path: '/attachments/{attachment_id}/content',
  operationId: 'getAttachmentContent',
  tags: ['Attachments'],
  summary: 'Download the original',
  request: { params: z.object({ attachment_id: cleanText(64) }), query: CredentialQuery },
  responses: { ...fileResponses, ...errorResponses(401, 404, 422) },
})

export function attachmentRoutes() {
  const router = createRouter()

  router.openapi(contentRoute, async (c) => {
    const ctx = await authenticate(c, c.req.valid('query'))
    const attachment = await requireAttachment(ctx, c.req.valid('param').attachment_id)
    return sendFile(c, attachment, (range) => openAttachment(ctx, attachment, range))
  })

  return router
}
