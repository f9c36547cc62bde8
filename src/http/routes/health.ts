import { createRoute, z } from '@hono/zod-openapi'
import { checkHealth, checkReadiness } from '../../domain/health/check-health.ts'
import { createRouter } from '../router.ts'
import { jsonResponse } from '../schemas.ts'

const tags = ['Operations']
const Status = z.enum(['ok', 'unavailable'])
const Part = z.object({ status: Status, kind: z.string() })

const HealthBody = z
  .object({
    status: z.enum(['ok', 'degraded']),
    api: z.object({ status: z.literal('ok') }),
    backend: z.object({ status: Status, base_url: z.string(), data: z.record(z.string(), z.unknown()) }),
    database: Part,
    object_store: Part,
  })
  .openapi('Health')

const healthRoute = createRoute({
  method: 'get',
  path: '/health',
  operationId: 'getHealth',
  tags,
  summary: 'How the gateway and what it stands on are doing',
  security: [],
  responses: { 200: jsonResponse(HealthBody, 'The gateway answers; `degraded` if something behind it does not') },
})

const Readiness = z
  .object({ status: z.enum(['ready', 'not_ready']), database: Part, object_store: Part })
  .openapi('Readiness')

const readyRoute = createRoute({
  method: 'get',
  path: '/ready',
  operationId: 'getReadiness',
  tags,
  summary: 'Whether the gateway itself can serve',
  security: [],
  responses: {
    200: jsonResponse(Readiness, 'It can'),
    503: jsonResponse(Readiness, 'It cannot: its database or object store is away, or it is shutting down'),
  },
})

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  tags,
  summary: 'Metrics in the format of Prometheus',
  security: [],
  responses: { 200: { description: 'The metrics', content: { 'text/plain': { schema: z.string() } } } },
})

export function healthRoutes(isStopping: () => boolean) {
  const router = createRouter()

  router.openapi(healthRoute, async (c) => {
    const { status, backend, database, objectStore } = await checkHealth(c.get('services'))
    return c.json(
      {
        status,
        api: { status: 'ok' as const },
        backend: { status: backend.status, base_url: backend.baseUrl, data: { ...backend.data } },
        database,
        object_store: objectStore,
      },
      200,
    )
  })

  router.openapi(readyRoute, async (c) => {
    const { canServe, database, objectStore } = await checkReadiness(c.get('services'))
    const parts = { database, object_store: objectStore }
    return canServe && !isStopping()
      ? c.json({ status: 'ready' as const, ...parts }, 200)
      : c.json({ status: 'not_ready' as const, ...parts }, 503)
  })

  router.openapi(metricsRoute, async (c) => {
    const { registry } = c.get('services').metrics
    return c.text(await registry.metrics(), 200, { 'Content-Type': registry.contentType })
  })

  return router
}
