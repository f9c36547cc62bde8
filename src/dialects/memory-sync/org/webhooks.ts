import { createWebhook } from '../../../domain/webhooks/create-webhook.ts'
import { deleteWebhook } from '../../../domain/webhooks/delete-webhook.ts'
import { getWebhook, getWebhookHealth, listWebhooks } from '../../../domain/webhooks/list-webhooks.ts'
import type { WebhookRow } from '../../../domain/webhooks/queries.ts'
import { eventCategories, eventTypes } from '../../../domain/webhooks/schemas.ts'
import { noStatistics } from '../../../domain/webhooks/statistics-queries.ts'
import { testWebhook } from '../../../domain/webhooks/test-webhook.ts'
import {
  pauseWebhook,
  resumeWebhook,
  rotateWebhookSecret,
  updateWebhook,
} from '../../../domain/webhooks/update-webhook.ts'
import type { HttpContext } from '../../../http/context.ts'
import { answer, answerOnce, deleted } from '../../../http/once.ts'
import type { Sender } from '../auth.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { toCreatedWebhook, toHealth, toTest, toWebhook, toWebhooks } from './mapping.ts'
import { ADMIN, ADMIN_JSON, pathNumber, scopeOf } from './scope.ts'

export const WEBHOOK = '/org/webhooks/:id{[0-9]+}'

export function addWebhookRoutes(router: Router): void {
  addRoute(router, 'GET', '/org/webhooks', ADMIN, async (c, { ctx }) =>
    c.json(toWebhooks(await listWebhooks(ctx, scopeOf(c, ctx)))),
  )

  addRoute(router, 'POST', '/org/webhooks', ADMIN_JSON, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      const input = await readBody(c)
      await claim.begin(ctx, { place: scopeOf(c, ctx), input })
      const render = (webhook: WebhookRow) =>
        answer(201, toCreatedWebhook({ webhook, statistics: noStatistics, createdByName: null }))
      const made = await createWebhook(ctx, scopeOf(c, ctx), input, claim.keep(render))
      return answer(201, toCreatedWebhook(await getWebhook(ctx, scopeOf(c, ctx), made.id)))
    }),
  )

  addRoute(router, 'GET', '/org/webhooks/event-types', ADMIN, async (c) =>
    c.json({ event_types: eventTypes, categories: eventCategories }),
  )

  addRoute(router, 'GET', '/org/webhooks/health', ADMIN, async (c, { ctx }) =>
    c.json(toHealth(await getWebhookHealth(ctx, scopeOf(c, ctx)))),
  )

  addRoute(router, 'GET', WEBHOOK, ADMIN, async (c, { ctx }) =>
    c.json(toWebhook(await getWebhook(ctx, scopeOf(c, ctx), pathNumber(c, 'id')))),
  )

  addRoute(router, 'PATCH', WEBHOOK, ADMIN_JSON, async (c, sender) => {
    const input = await readBody(c)
    return change(c, sender, input, toWebhook, (ctx, scope, id, also) => updateWebhook(ctx, scope, id, input, also))
  })

  addRoute(router, 'POST', `${WEBHOOK}/pause`, ADMIN, (c, sender) => change(c, sender, null, toWebhook, pauseWebhook))

  addRoute(router, 'POST', `${WEBHOOK}/resume`, ADMIN, (c, sender) => change(c, sender, null, toWebhook, resumeWebhook))

  addRoute(router, 'POST', `${WEBHOOK}/rotate-secret`, ADMIN, (c, sender) =>
    change(c, sender, null, toCreatedWebhook, rotateWebhookSecret),
  )

  addRoute(router, 'DELETE', WEBHOOK, ADMIN, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      await claim.begin(ctx, { place: scopeOf(c, ctx) })
      await deleteWebhook(
        ctx,
        scopeOf(c, ctx),
        pathNumber(c, 'id'),
        claim.keep(() => deleted()),
      )
      return deleted()
    }),
  )

  addRoute(router, 'POST', `${WEBHOOK}/test`, ADMIN_JSON, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      const input = await readBody(c)
      await claim.begin(ctx, { place: scopeOf(c, ctx), input })
      const render = (found: Parameters<typeof toTest>[0]) => answer(200, toTest(found))
      return render(await testWebhook(ctx, scopeOf(c, ctx), pathNumber(c, 'id'), input, claim.keep(render)))
    }),
  )
}

/** A change of a webhook, which is answered with all of it. */
function change(
  c: HttpContext,
  { ctx }: Sender,
  input: unknown,
  show: typeof toWebhook,
  verb: typeof pauseWebhook,
): Promise<Response> {
  return answerOnce(c, async (claim) => {
    await claim.begin(ctx, { place: scopeOf(c, ctx), input })
    const id = pathNumber(c, 'id')
    const listed = await getWebhook(ctx, scopeOf(c, ctx), id)
    const render = (webhook: WebhookRow) => answer(200, show({ ...listed, webhook }))
    return render(await verb(ctx, scopeOf(c, ctx), id, claim.keep(render)))
  })
}
