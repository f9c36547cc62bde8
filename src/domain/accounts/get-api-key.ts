import type { ServiceContext } from '../context.ts'
import { keyRealm, unknownApiKey } from './key-realm.ts'
import { findApiKeyByNumber } from './number-queries.ts'
import type { ApiKeyRow } from './queries.ts'

/** A key of the caller's account by its number, also one that is revoked or expired. */
export async function getApiKey(ctx: ServiceContext, number: number): Promise<ApiKeyRow> {
  const key = await findApiKeyByNumber(ctx.services.db, keyRealm(ctx, ctx.service.accountId), number)
  if (!key) throw unknownApiKey()
  return key
}

export function keyStatus({ revokedAt, expiresAt }: ApiKeyRow, at: Date): 'active' | 'revoked' | 'expired' {
  if (revokedAt) return 'revoked'
  return expiresAt && expiresAt <= at ? 'expired' : 'active'
}
