import { GatewayError } from '../../domain/errors.ts'
import { createDialectRouter, type DialectRouter } from '../../http/dialect.ts'
import { renderError } from './errors.ts'
import { messageRoutes } from './message-routes.ts'
import { observationRoutes } from './observation-routes.ts'
import { threadRoutes } from './thread-routes.ts'

/** The API of the Mastra Memory Gateway about threads. Mount it before what takes `/v1/memory/{anything}`. */
export function mastraRoutes(): DialectRouter {
  const router = createDialectRouter(renderError)
  threadRoutes(router)
  messageRoutes(router)
  observationRoutes(router)
  router.all('/v1/memory/threads/*', () => {
    throw new GatewayError('not_found', 'There is no such route.')
  })
  return router
}
