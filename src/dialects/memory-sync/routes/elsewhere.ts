import { notImplemented } from '../errors.ts'
import type { Router } from '../route.ts'

/** What the original does beside memories, and the gateway does not. */
const ELSEWHERE: readonly (readonly [path: string, message: string])[] = [
  [
    '/imports',
    'The gateway has no import jobs. Send the records to POST /memory/bulk-add, 50 at a time; client_ref makes that repeatable.',
  ],
  ['/exports', 'The gateway has no export jobs. GET /memory/export sends all memories of an end user.'],
  ['/api/v1/integrations', 'The gateway connects to no other services.'],
  ['/api/v2/integrations', 'The gateway connects to no other services.'],
]

export function addElsewhereRoutes(router: Router): void {
  for (const [path, message] of ELSEWHERE) {
    router.on(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], [path, `${path}/*`], () => {
      throw notImplemented(message)
    })
  }
}
