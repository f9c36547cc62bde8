import type { Database } from '../../db/database.ts'
import type { ApiKeyRow } from '../accounts/queries.ts'
import { type EventContext, emitEvent } from './emit-event.ts'

/** Tells of a key that was made or revoked: which one it is, never the key. */
export function emitKeyEvent(
  tx: Database,
  ctx: EventContext,
  type: 'api_key.created' | 'api_key.revoked',
  key: ApiKeyRow,
): Promise<void> {
  return emitEvent(tx, ctx, key, {
    type,
    data: {
      id: key.number,
      key_id: key.id,
      name: key.name,
      prefix: key.prefix,
      scopes: key.scopes,
      created_at: key.createdAt.toISOString(),
      expires_at: key.expiresAt?.toISOString() ?? null,
      revoked_at: key.revokedAt?.toISOString() ?? null,
    },
  })
}
