import type { ServiceContext } from '../../../domain/context.ts'
import type { WebhookScope } from '../../../domain/webhooks/webhook-scope.ts'
import type { HttpContext } from '../../../http/context.ts'

/** What manages an account. Without a project it is about all of them. */
export const ADMIN = { scope: 'admin', project: 'optional' } as const
export const ADMIN_JSON = { ...ADMIN, body: 'json' } as const

/** The project that the key is bound to, or that the request names; else the account as a whole. */
export function scopeOf(c: HttpContext, { service }: ServiceContext): WebhookScope {
  const isNamed = service.isProjectLocked || Boolean(c.req.header('x-project-id')?.trim())
  return isNamed ? { accountId: service.accountId, projectId: service.projectId } : { accountId: service.accountId }
}

/** The number of something in the path; for one that nothing can have 0, which nothing has either. */
export function pathNumber(c: HttpContext, name: string): number {
  const number = Number(c.req.param(name))
  return Number.isSafeInteger(number) ? number : 0
}
