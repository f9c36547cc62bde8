import { z } from 'zod'
import type { FoundDelivery } from '../../../domain/webhooks/delivery-queries.ts'
import { getDelivery, getLatestDelivery, listDeliveries } from '../../../domain/webhooks/list-deliveries.ts'
import { type Replay, replayDeliveries, retryDelivery } from '../../../domain/webhooks/replay-deliveries.ts'
import { statusFilter } from '../../../domain/webhooks/schemas.ts'
import type { HttpContext } from '../../../http/context.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import type { Sender } from '../auth.ts'
import { parsePart } from '../errors.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { toDelivery, toReplay } from './mapping.ts'
import { ADMIN, ADMIN_JSON, pathNumber, scopeOf } from './scope.ts'
import { WEBHOOK } from './webhooks.ts'

const DELIVERY = '/org/webhooks/deliveries/:id{[0-9]+}'

const whole = z.coerce.number().int().min(1)
const PageQuery = z.object({
  // Pages are counted through: who wants more has filters.
  page: whole.max(100_000).default(1),
  page_size: whole.max(100).default(20),
  status_filter: statusFilter.optional(),
  endpoint_id: whole.optional(),
})

export function addDeliveryRoutes(router: Router): void {
  addRoute(router, 'GET', '/org/webhooks/deliveries/recent', ADMIN, (c, sender) => {
    const { endpoint_id: webhookId } = parsePart(PageQuery, 'query', c.req.query())
    return showPage(c, sender, webhookId)
  })

  addRoute(router, 'GET', `${WEBHOOK}/deliveries`, ADMIN, (c, sender) => showPage(c, sender, pathNumber(c, 'id')))

  addRoute(router, 'GET', `${WEBHOOK}/deliveries/latest`, ADMIN, async (c, { ctx }) => {
    const latest = await getLatestDelivery(ctx, scopeOf(c, ctx), pathNumber(c, 'id'))
    return c.json(latest ? toDelivery(latest) : null)
  })

  addRoute(router, 'GET', DELIVERY, ADMIN, async (c, { ctx }) =>
    c.json(toDelivery(await getDelivery(ctx, scopeOf(c, ctx), pathNumber(c, 'id')))),
  )

  addRoute(router, 'POST', `${DELIVERY}/retry`, ADMIN, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      await claim.begin(ctx, { place: scopeOf(c, ctx) })
      const render = (found: FoundDelivery) => answer(200, toDelivery(found))
      return render(await retryDelivery(ctx, scopeOf(c, ctx), pathNumber(c, 'id'), claim.keep(render)))
    }),
  )

  addRoute(router, 'POST', `${WEBHOOK}/replay`, ADMIN_JSON, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      const input = await readBody(c)
      await claim.begin(ctx, { place: scopeOf(c, ctx), input })
      const render = (replay: Replay) => answer(200, toReplay(replay))
      return render(await replayDeliveries(ctx, scopeOf(c, ctx), pathNumber(c, 'id'), input, claim.keep(render)))
    }),
  )
}

async function showPage(c: HttpContext, { ctx }: Sender, webhookId: number | undefined): Promise<Response> {
  const { page, page_size: pageSize, status_filter: status } = parsePart(PageQuery, 'query', c.req.query())
  const found = await listDeliveries(ctx, scopeOf(c, ctx), { page, pageSize, status, webhookId })
  return c.json({ deliveries: found.deliveries.map(toDelivery), total: found.total, page, page_size: pageSize })
}
