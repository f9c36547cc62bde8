import { createRoute, z } from '@hono/zod-openapi'
import { openAttachment } from '../../domain/attachments/open-attachment.ts'
import type { Context } from '../../domain/context.ts'
import type { ErasedSession } from '../../domain/erasure/erase-session.ts'
import { GatewayError } from '../../domain/errors.ts'
import { resourceUri } from '../../domain/ids.ts'
import { relayResource, type StoredResource, storeResource } from '../../domain/resources/add-resource.ts'
import { deleteResource } from '../../domain/resources/delete-resource.ts'
import { listResources, requireResource, updateResource } from '../../domain/resources/list-resources.ts'
import type { ResourceWithFile } from '../../domain/resources/queries.ts'
import { retryResource } from '../../domain/resources/retry-resource.ts'
import { ListResourcesInput, UpdateResourceInput } from '../../domain/resources/schemas.ts'
import { cleanText } from '../../domain/text-schemas.ts'
import { authenticate } from '../context.ts'
import { sendFile } from '../downloads.ts'
import { toResource } from '../dto.ts'
import { jsonBody } from '../middleware/json-body.ts'
import { answer, answerOnce, deleted } from '../once.ts'
import { multipartRequest } from '../openapi.ts'
import { createRouter } from '../router.ts'
import {
  CredentialQuery,
  credentialFields,
  deletedResponse,
  errorResponses,
  fileResponses,
  jsonRequest,
  jsonResponse,
  nextCursor,
  Resource,
} from '../schemas.ts'
import { identityOf, withUpload } from '../uploads.ts'

const SMALL_BODY = 64 * 1024
const ADD_FIELDS = ['app_id', 'project_id', 'title', 'description']
const tags = ['Resources']
const ResourcePath = z.object({ resource_id: cleanText(64) })
const AddedResource = z
  .object({
    resource_id: z.string(),
    session_id: z.string(),
    uri: z.string(),
    status: z.enum(['extracted', 'processing', 'failed']).describe('failed: kept, but the backend found nothing in it'),
  })
  .openapi('AddedResource')

const addRoute = createRoute({
  method: 'post',
  path: '/resources',
  operationId: 'addResource',
  tags,
  summary: 'Add a file as a resource',
  description: 'With `Prefer: respond-async` the answer does not wait for the backend.',
  request: multipartRequest({
    properties: {
      user_id: { type: 'string' },
      user_key: { type: 'string' },
      app_id: { type: 'string', default: 'default' },
      project_id: { type: 'string', default: 'default' },
      title: { type: 'string' },
      description: { type: 'string' },
      file: { type: 'string', format: 'binary' },
    },
    required: ['file'],
  }),
  responses: {
    201: jsonResponse(AddedResource, 'Extracted; or failed: kept, but the backend found nothing in it'),
    202: jsonResponse(AddedResource, 'Durable; the backend has not extracted it yet'),
    ...errorResponses(400, 401, 404, 409, 413, 415, 422, 429, 502),
  },
})

const listRoute = createRoute({
  method: 'get',
  path: '/resources',
  operationId: 'listResources',
  tags,
  summary: 'List resources, newest first',
  request: { query: ListResourcesInput.extend(credentialFields) },
  responses: {
    200: jsonResponse(z.object({ resources: z.array(Resource), ...nextCursor }), 'A page'),
    ...errorResponses(401, 422),
  },
})

const getRoute = createRoute({
  method: 'get',
  path: '/resources/{resource_id}',
  operationId: 'getResource',
  tags,
  summary: 'Get a resource',
  request: { params: ResourcePath, query: CredentialQuery },
  responses: { 200: jsonResponse(Resource, 'The resource'), ...errorResponses(401, 404, 422) },
})

const updateRoute = createRoute({
  method: 'patch',
  path: '/resources/{resource_id}',
  operationId: 'updateResource',
  tags,
  summary: 'Change title or description',
  middleware: jsonBody(SMALL_BODY),
  request: { params: ResourcePath, body: jsonRequest(UpdateResourceInput.safeExtend(credentialFields)) },
  responses: { 200: jsonResponse(Resource, 'As it is now'), ...errorResponses(400, 401, 404, 409, 413, 415, 422) },
})

const deleteRoute = createRoute({
  method: 'delete',
  path: '/resources/{resource_id}',
  operationId: 'deleteResource',
  tags,
  summary: 'Delete a resource and its file',
  request: { params: ResourcePath, query: CredentialQuery },
  responses: { 204: deletedResponse, ...errorResponses(401, 404, 409, 422) },
})

const retryRoute = createRoute({
  method: 'post',
  path: '/resources/{resource_id}/retry',
  operationId: 'retryResource',
  tags,
  summary: 'Have a failed resource extracted again',
  request: { params: ResourcePath, query: CredentialQuery },
  responses: {
    202: jsonResponse(z.object({ resource_id: z.string(), status: z.literal('processing') }), 'Under way'),
    ...errorResponses(401, 404, 409, 422),
  },
})

const contentRoute = createRoute({
  method: 'get',
  path: '/resources/{resource_id}/content',
  operationId: 'getResourceContent',
  tags,
  summary: 'Download the original',
  request: { params: ResourcePath, query: CredentialQuery },
  responses: { ...fileResponses, ...errorResponses(401, 404, 422) },
})

export function resourceRoutes() {
  const router = createRouter()

  router.openapi(addRoute, (c) =>
    answerOnce(c, async (claim) => {
      const respondAsync = /(^|[,\s])respond-async($|[,;\s])/i.test(c.req.header('prefer') ?? '')
      const { ctx, stored } = await withUpload(c, ADD_FIELDS, async (admitted, { input, files }) => {
        const [file, ...more] = files
        if (!file || more.length > 0 || file.uploadId !== 'file') {
          throw new GatewayError('invalid_request', 'Send exactly one file, in the field "file".', {
            details: { files: files.map(({ uploadId }) => uploadId) },
          })
        }
        await claim.begin(admitted, { ...input, file: identityOf(file) })
        const keep = claim.keep((made: StoredResource) => answer(202, toAdded(admitted, made, 'processing')), subjectOf)
        return storeResource(admitted, input, file, keep)
      })
      c.set('ids', { resourceId: stored.resourceId, batchId: stored.batch.id })
      const status = await relayResource(ctx, stored, respondAsync ? 0 : ctx.services.relayWaitMs)
      if (respondAsync) c.env.outgoing.setHeader('Preference-Applied', 'respond-async')
      const body = toAdded(ctx, stored, status)
      return status === 'processing' ? answer(202, body) : answer(201, body)
    }),
  )

  router.openapi(listRoute, async (c) => {
    const { user_id, user_key, ...input } = c.req.valid('query')
    const ctx = await authenticate(c, { user_id, user_key })
    const { items, nextCursor: next_cursor } = await listResources(ctx, input)
    return c.json({ resources: items.map((row) => toResource(row, ctx.caller.externalUserId)), next_cursor }, 200)
  })

  router.openapi(getRoute, async (c) => {
    const ctx = await authenticate(c, c.req.valid('query'))
    const row = await requireResource(ctx, c.req.valid('param').resource_id)
    return c.json(toResource(row, ctx.caller.externalUserId), 200)
  })

  router.openapi(updateRoute, (c) =>
    answerOnce(c, async (claim) => {
      const { user_id, user_key, ...input } = c.req.valid('json')
      const ctx = await authenticate(c, { user_id, user_key })
      await claim.begin(ctx, input)
      const render = (row: ResourceWithFile) => answer(200, toResource(row, ctx.caller.externalUserId))
      const keep = claim.keep(render, ({ resource }) => ({ sessionId: resource.sessionId }))
      return render(await updateResource(ctx, c.req.valid('param').resource_id, input, keep))
    }),
  )

  router.openapi(deleteRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = await authenticate(c, c.req.valid('query'))
      await claim.begin(ctx)
      const keep = claim.keep(({ erasureId }: ErasedSession) => deleted(erasureId))
      return deleted(await deleteResource(ctx, c.req.valid('param').resource_id, keep))
    }),
  )

  router.openapi(retryRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = await authenticate(c, c.req.valid('query'))
      const id = c.req.valid('param').resource_id
      await claim.begin(ctx)
      const render = (status: 'processing') => answer(202, { resource_id: id, status })
      return render(await retryResource(ctx, id, claim.keep(render)))
    }),
  )

  router.openapi(contentRoute, async (c) => {
    const ctx = await authenticate(c, c.req.valid('query'))
    const { attachment } = await requireResource(ctx, c.req.valid('param').resource_id)
    return sendFile(c, attachment, (range) => openAttachment(ctx, attachment, range))
  })

  return router
}

function subjectOf({ batch }: StoredResource) {
  return { sessionId: batch.session.id, batchId: batch.id }
}

function toAdded(
  ctx: Context,
  { resourceId, sessionId }: StoredResource,
  status: z.infer<typeof AddedResource>['status'],
) {
  const uri = resourceUri(ctx.caller.externalUserId, resourceId)
  return { resource_id: resourceId, session_id: sessionId, uri, status }
}
