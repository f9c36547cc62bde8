import { GatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { identifyCaller } from '../../http/gateway-key.ts'
import type { ListedModel } from '../../ports/model-gateway.ts'

export function modelsRoutes(router: DialectRouter): void {
  router.on('GET', slashed('/v1/models'), async (c) => {
    const data = (await readModels(c)).map(toModel)
    return c.json({
      object: 'list',
      data,
      has_more: false,
      first_id: data.at(0)?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
    })
  })
  // Ids have slashes, which clients encode or not.
  router.get('/v1/models/:id{.+}', async (c) => {
    const id = c.req.param('id')
    const found = (await readModels(c)).find((model) => model.id === id)
    if (!found) throw new GatewayError('not_found', 'No provider lists a model of that name. GET /v1/models has them.')
    return c.json(toModel(found))
  })
}

async function readModels(c: HttpContext): Promise<readonly ListedModel[]> {
  const { ctx } = await identifyCaller(c, { scope: 'read', rate: 'llm_proxy' })
  return ctx.services.modelGateway.listModels()
}

/** With the fields of OpenAI's lists and of Anthropic's. */
function toModel({ id, name, ownedBy, created }: ListedModel) {
  return {
    id,
    object: 'model',
    type: 'model',
    created,
    created_at: new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
    display_name: name,
    owned_by: ownedBy,
  }
}
