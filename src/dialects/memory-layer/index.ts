import type { Limits } from '../../config/config.ts'
import type { HttpContext } from '../../http/context.ts'
import { createDialectRouter, type DialectRouter } from '../../http/dialect.ts'
import { chatRoutes } from './chat-routes.ts'
import { renderError } from './errors.ts'
import { keyRoutes } from './key-routes.ts'
import { memoryRoutes, singleMemoryRoutes } from './memory-routes.ts'
import { searchRoutes } from './search-routes.ts'
import { upkeepRoutes } from './upkeep-routes.ts'

/** The API of Memory Layer. It takes `/v1/memory/{anything}`: mount it after other surfaces under that path. */
export function memoryLayer(limits: Limits): DialectRouter {
  const router = createDialectRouter(renderError)
  searchRoutes(router, limits)
  upkeepRoutes(router)
  chatRoutes(router, limits)
  keyRoutes(router, limits)
  memoryRoutes(router, limits)
  singleMemoryRoutes(router)
  return router
}

/** The answer to a path or method that nobody serves, if it is one of this API's. */
export function memoryLayerUnknown(c: HttpContext): Response | undefined {
  if (!/^\/v1\/(memory|chat|keys)(\/|$)/.test(c.req.path)) return undefined
  c.set('errorCode', 'not_found')
  return c.json({ detail: 'Not Found' }, 404)
}
