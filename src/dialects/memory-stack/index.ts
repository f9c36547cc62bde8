import type { Limits } from '../../config/config.ts'
import type { HttpContext } from '../../http/context.ts'
import { createDialectRouter, type DialectRouter } from '../../http/dialect.ts'
import { agentRoutes } from './agent-routes.ts'
import { createRoutes } from './create-routes.ts'
import { renderError } from './errors.ts'
import { memoryRoutes, singleMemoryRoutes } from './memory-routes.ts'
import { overviewRoutes } from './overview-routes.ts'
import { searchRoutes } from './search-routes.ts'
import { transferRoutes } from './transfer-routes.ts'
import { upkeepRoutes } from './upkeep-routes.ts'

/** The API of MemoryStack. */
export function memoryStack(limits: Limits): DialectRouter {
  const router = createDialectRouter(renderError).basePath('/api/v1')
  createRoutes(router, limits)
  agentRoutes(router)
  searchRoutes(router)
  transferRoutes(router, limits)
  upkeepRoutes(router, limits)
  overviewRoutes(router)
  memoryRoutes(router, limits)
  singleMemoryRoutes(router, limits)
  return router
}

/** The answer to a path or method that nobody serves, if it is one of this API's. */
export function memoryStackUnknown(c: HttpContext): Response | undefined {
  if (!/^\/api\/v1(\/|$)/.test(c.req.path)) return undefined
  c.set('errorCode', 'not_found')
  return c.json({ error: 'Not found' }, 404)
}
