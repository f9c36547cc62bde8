import { GatewayError } from '../../domain/errors.ts'
import type { Metric } from '../../domain/usage/meter.ts'
import type { HttpContext } from '../../http/context.ts'
import { createDialectRouter, type DialectRouter, slashed } from '../../http/dialect.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { countUse } from '../../http/quota.ts'
import { type Demand, identifySender, type Sender } from './auth.ts'
import { invalidFields, renderError } from './errors.ts'

/** No body of the dialect is larger: 50 memories, or 100 changes. */
const MAX_BODY_BYTES = 2 * 1024 * 1024

interface RouteRules extends Demand {
  /** What the request counts as, beside a request, before its body is looked at; with 0 there must only be some left, and `countUse` counts it. */
  readonly uses?: Partial<Record<Metric, number>>
  /** What is answered when a quota is used up, in place of 429: the dialect has its callers' work go on. */
  readonly overQuota?: unknown
  /** Whether a JSON body is to be read first. */
  readonly body?: 'json' | 'none'
}

export type Router = DialectRouter
type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Work = (c: HttpContext, sender: Sender) => Promise<Response>

/** A router whose errors are the dialect's. */
export function createRouter(): Router {
  return createDialectRouter(renderError)
}

/**
 * A route of the dialect, with and without a slash at its end. The order is the original's: key, project, scope, quota, then the body,
 * which `work` gets by `readBody`.
 */
export function addRoute(router: Router, method: Method, path: string, rules: RouteRules, work: Work): void {
  router.on(method, slashed(path), async (c) => {
    const sender = await identifySender(c, rules)
    try {
      await countUse(c, sender.ctx, { requests: 1, ...rules.uses })
      if (rules.body === 'json') return await withJsonBody(c, () => work(c, sender))
      return await work(c, sender)
    } catch (error) {
      const isSilent = rules.overQuota !== undefined && error instanceof GatewayError && error.code === 'quota_exceeded'
      if (!isSilent) throw error
      c.env.outgoing.setHeader('X-Quota-Exceeded', 'true')
      return c.json(rules.overQuota)
    }
  })
}

const readJson = jsonBody(MAX_BODY_BYTES, () => true)

async function withJsonBody(c: HttpContext, work: () => Promise<Response>): Promise<Response> {
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/([a-z0-9.+-]+\+)?json\b/i.test(type)) {
    throw new GatewayError('unsupported_media_type', 'Send the body as application/json.')
  }
  let response: Response | undefined
  await readJson(c, async () => {
    response = await work()
  })
  if (!response) throw new Error('The body was not read.')
  return response
}

/** The body of a route of `body: 'json'`. 422 if it is no JSON. */
export async function readBody(c: HttpContext): Promise<unknown> {
  const text = await c.req.text()
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own error quotes the body.
    throw invalidFields([{ type: 'json_invalid', loc: ['body'], msg: 'The body is not valid JSON.' }])
  }
}
