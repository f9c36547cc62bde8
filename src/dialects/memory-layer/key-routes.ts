import type { Limits } from '../../config/config.ts'
import { type CreatedApiKey, createApiKey } from '../../domain/accounts/create-api-key.ts'
import { listApiKeys } from '../../domain/accounts/list-api-keys.ts'
import type { ApiKeyRow } from '../../domain/accounts/queries.ts'
import { revokeApiKey } from '../../domain/accounts/revoke-api-key.ts'
import { GatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { UnknownKeyError } from './errors.ts'
import { open, readBody } from './request.ts'
import { KeyBody } from './schemas.ts'

/** The account's keys, for a key of it with the scope `admin`: it stands for the dashboard's token. */
export function keyRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'admin'))
  router.on('POST', slashed('/v1/keys'), readJson, create)
  router.on('GET', slashed('/v1/keys'), list)
  router.on('POST', slashed('/v1/keys/:key_id/revoke'), revoke)
}

function create(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const { name } = await readBody(c, KeyBody)
    const ctx = await open(c, 'admin')
    await claim.begin(ctx, { name })
    await countUse(c, ctx, { requests: 1 })
    const render = (created: CreatedApiKey) => answer(201, { ...toKey(created), api_key: created.secret })
    return render(await createApiKey(ctx, ctx.service.accountId, { name }, claim.keep(render)))
  })
}

async function list(c: HttpContext): Promise<Response> {
  const ctx = await open(c, 'admin')
  await countUse(c, ctx, { requests: 1 })
  const keys: ApiKeyRow[] = []
  let cursor: string | undefined
  do {
    const page = await listApiKeys(ctx, ctx.service.accountId, { limit: 200, ...(cursor && { cursor }) })
    keys.push(...page.items)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return c.json({ keys: keys.map(toKey), total_count: keys.length })
}

function revoke(c: HttpContext): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const ctx = await open(c, 'admin')
    await claim.begin(ctx)
    await countUse(c, ctx, { requests: 1 })
    const render = (key: ApiKeyRow) => answer(200, { status: 'success', message: 'API key revoked', key: toKey(key) })
    const id = c.req.param('key_id') ?? ''
    return render(await revokeApiKey(ctx, ctx.service.accountId, id, claim.keep(render)).catch(unknownKey))
  })
}

function unknownKey(error: unknown): never {
  throw error instanceof GatewayError && error.code === 'not_found' ? new UnknownKeyError() : error
}

function toKey(key: ApiKeyRow) {
  const isExpired = key.expiresAt !== null && key.expiresAt <= new Date()
  return {
    id: key.id,
    name: key.name,
    key_prefix: key.prefix,
    masked_key: `${key.prefix}…`,
    scopes: key.scopes,
    is_active: key.revokedAt === null && !isExpired,
    created_at: key.createdAt.toISOString(),
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
  }
}
