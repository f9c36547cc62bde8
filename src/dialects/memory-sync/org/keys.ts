import { z } from 'zod'
import { getApiKey, keyStatus } from '../../../domain/accounts/get-api-key.ts'
import { type RevokedKey, revokeApiKeys } from '../../../domain/accounts/revoke-api-keys.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { parsePart } from '../errors.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { ADMIN, ADMIN_JSON, pathNumber } from './scope.ts'

const BulkRevokeBody = z.object({ key_ids: z.array(z.int().min(1)).min(1).max(100) })

export function addKeyRoutes(router: Router): void {
  addRoute(router, 'POST', '/org/api-keys/:id{[0-9]+}/test', ADMIN, async (c, { ctx }) => {
    const now = new Date()
    const key = await getApiKey(ctx, pathNumber(c, 'id'))
    const status = keyStatus(key, now)
    return c.json({
      key_id: key.number,
      valid: status === 'active',
      status,
      environment: 'live',
      rate_limit_tier: key.plan ?? ctx.service.accountPlan ?? 'unlimited',
      scopes: key.scopes,
      project_id: key.projectId,
      last_used_at: key.lastUsedAt?.toISOString() ?? null,
      expires_at: key.expiresAt?.toISOString() ?? null,
      expired: key.expiresAt !== null && key.expiresAt <= now,
      server_time: now.toISOString(),
    })
  })

  addRoute(router, 'POST', '/org/api-keys/bulk-revoke', ADMIN_JSON, (c, { ctx }) =>
    answerOnce(c, async (claim) => {
      const { key_ids: numbers } = parsePart(BulkRevokeBody, 'body', await readBody(c))
      await claim.begin(ctx, numbers)
      return answerRevoked(await revokeApiKeys(ctx, numbers, claim.keep(answerRevoked)))
    }),
  )
}

function answerRevoked(results: readonly RevokedKey[]) {
  const count = (outcome: RevokedKey['outcome']) => results.filter((result) => result.outcome === outcome).length
  return answer(200, {
    revoked: count('revoked'),
    already_revoked: count('already_revoked'),
    not_found: count('not_found'),
    results: results.map(({ number, outcome }) => ({ key_id: number, status: outcome })),
  })
}
