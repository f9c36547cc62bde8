import type { OpenAPIHono } from '@hono/zod-openapi'
import type { HttpEnv } from './context.ts'

/** Of every write. `answerOnce` reads and checks it: a validator for it would have all headers of each request copied. */
const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  schema: { type: 'string' as const, minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
  description:
    'The same request with the same key is done once in 24 hours; a repetition gets the first answer, with Idempotent-Replayed: true.',
}

interface MultipartShape {
  properties: Record<string, { type: 'string'; format?: 'binary'; default?: string; description?: string }>
  required: string[]
  /** Files under names of the caller's, or none. */
  additionalProperties: false | { type: 'string'; format: 'binary'; description: string }
}

/** A multipart body as a plain OpenAPI object: it is described, and no validator reads the body before the route does. */
export function multipartRequest(shape: MultipartShape) {
  return {
    body: { required: true, content: { 'multipart/form-data': { schema: { type: 'object' as const, ...shape } } } },
  }
}

/** The document of all routes mounted so far. */
export function openApiDocument(app: OpenAPIHono<HttpEnv>) {
  app.openAPIRegistry.registerComponent('securitySchemes', 'userKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'A user key (uk_…). It may also be sent as user_id and user_key in the body, form or query.',
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'adminKey', {
    type: 'http',
    scheme: 'bearer',
    description: "The operator's key: GATEWAY_ADMIN_KEY, or the one (mga_…) that the first start without it printed.",
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'userKeyInQuery', {
    type: 'apiKey',
    in: 'query',
    name: 'user_key',
    description: 'On every route. user_id may be sent with it, and must then be the user of the key.',
  })
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Memory Gateway',
      version: '0.1.0',
      description:
        'Multimodal memory for AI applications: chat messages with files, a resource library, scoped search. This is the native API. What is in the form of other services is described in the documents that come with the gateway: chats through /v1/chat/completions, /v1/responses and /v1/messages in docs/chat-proxy.md, the rest in docs/dialects.md.',
    },
    security: [{ userKey: [] }, { userKeyInQuery: [] }, {}],
  })
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of [path.post, path.patch, path.delete]) {
      if (operation && operation.operationId !== 'searchMemories') {
        operation.parameters = [...(operation.parameters ?? []), idempotencyKey]
      }
    }
  }
  return document
}
