import type { Limits } from '../../config/config.ts'
import { createDialectRouter, type DialectRouter } from '../../http/dialect.ts'
import { renderError } from './errors.ts'
import { modelsRoutes } from './models-route.ts'
import { proxyRoutes } from './proxy-routes.ts'

/** The APIs of OpenAI and Anthropic for chats, in front of any provider. */
export function openAiProxy(limits: Limits): DialectRouter {
  const router = createDialectRouter(renderError)
  proxyRoutes(router, limits)
  modelsRoutes(router)
  return router
}
