import type { OpenAPIHono } from '@hono/zod-openapi'
import type { HttpEnv } from './context.ts'

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
  app.openAPIRegistry.registerComponent('securitySchemes', 'userKeyInQuery', {
    type: 'apiKey',
    in: 'query',
    name: 'user_key',
    description: 'On every route. user_id may be sent with it, and must then be the user of the key.',
  })
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Memory Gateway',
      version: '0.1.0',
      description:
        'Multimodal memory for AI applications: chat messages with files, a resource library, scoped search.',
    },
    security: [{ userKey: [] }, { userKeyInQuery: [] }, {}],
  })
}
