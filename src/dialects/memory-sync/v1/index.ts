import { createRouter, type Router } from '../route.ts'
import { addHistoryRoutes } from './history-routes.ts'
import { addMemoryRoutes } from './memory-routes.ts'
import { addStateRoutes } from './state-routes.ts'

/**
 * The data plane of MemorySync's clients under `/v1`: turns, recall, transcripts and state. Other APIs have routes under `/v1/memory`
 * too, so nothing here matches what it does not serve.
 */
export function v1Routes(): Router {
  const router = createRouter()
  addMemoryRoutes(router)
  addHistoryRoutes(router)
  addStateRoutes(router)
  return router
}
