import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Limits } from './config/config.ts'
import { mastraRoutes } from './dialects/mastra/index.ts'
import { memoryLayer, memoryLayerUnknown } from './dialects/memory-layer/index.ts'
import { memoryStack, memoryStackUnknown } from './dialects/memory-stack/index.ts'
import { memorySyncRoutes } from './dialects/memory-sync/index.ts'
import { openAiProxy } from './dialects/openai/index.ts'
import { GatewayError } from './domain/errors.ts'
import type { HttpContext, HttpEnv, HttpServices } from './http/context.ts'
import { docsRoutes } from './http/docs.ts'
import { renderError } from './http/errors.ts'
import { observe } from './http/middleware/observe.ts'
import { secure } from './http/middleware/secure.ts'
import { openApiDocument } from './http/openapi.ts'
import { createRouter } from './http/router.ts'
import { accountKeyRoutes } from './http/routes/account-keys.ts'
import { accountRoutes } from './http/routes/accounts.ts'
import { attachmentRoutes } from './http/routes/attachments.ts'
import { erasureRoutes } from './http/routes/erasures.ts'
import { healthRoutes } from './http/routes/health.ts'
import { memoryRoutes } from './http/routes/memories.ts'
import { operationRoutes } from './http/routes/operations.ts'
import { resourceRoutes } from './http/routes/resources.ts'
import { sessionRoutes } from './http/routes/sessions.ts'
import { userRoutes } from './http/routes/users.ts'

/** Every surface of the gateway. */
export function createApp(services: HttpServices, isStopping: () => boolean = () => false): OpenAPIHono<HttpEnv> {
  const app = createRouter()
  app.use(observe(services), secure(services.config.corsOrigins))
  mountNativeApi(app, services.limits, isStopping)
  app.route(
    '/',
    docsRoutes(() => describeApi(services.limits)),
  )
  app.route('/', openAiProxy(services.limits))
  app.route('/', mastraRoutes())
  app.route('/', memorySyncRoutes())
  app.route('/', memoryStack(services.limits))
  app.route('/', memoryLayer(services.limits))
  app.notFound((c) => memoryLayerUnknown(c) ?? memoryStackUnknown(c) ?? unknownRoute(c))
  return app
}

function unknownRoute(c: HttpContext): Response {
  return renderError(new GatewayError('not_found', 'There is no such route. See /docs.'), c)
}

/** The OpenAPI document, without a running gateway. */
export function describeApi(limits: Limits): ReturnType<typeof openApiDocument> {
  const app = createRouter()
  mountNativeApi(app, limits, () => false)
  return openApiDocument(app)
}

function mountNativeApi(app: OpenAPIHono<HttpEnv>, limits: Limits, isStopping: () => boolean): void {
  app.route('/', healthRoutes(isStopping))
  app.route('/', userRoutes())
  app.route('/', memoryRoutes(limits))
  app.route('/', resourceRoutes())
  app.route('/', attachmentRoutes())
  app.route('/', sessionRoutes())
  app.route('/', operationRoutes())
  app.route('/', erasureRoutes())
  app.route('/', accountRoutes())
  app.route('/', accountKeyRoutes())
}
