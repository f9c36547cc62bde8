import type { SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { type ErasureRow, findErasure } from './queries.ts'

/**
 * - `processing`: hidden already, and being removed.
 * - `pending_operator`: removed here; the backend cannot delete, and its operator has to remove what `leftUpstream` names.
 * - `done`: removed everywhere.
 */
export type ErasureStatus = 'processing' | 'pending_operator' | 'done'

/** The receipt of an erasure, for whoever has its id. `not_found` for any other. */
export async function getErasure(ctx: SystemContext, id: string): Promise<ErasureRow & { status: ErasureStatus }> {
  const row = await findErasure(ctx.services.db, id)
  // What the gateway took back by itself was nobody's request.
  if (!row || row.requestedBy === 'gateway') throw new GatewayError('not_found', 'There is no such erasure.')
  return { ...row, status: statusOf(row) }
}

function statusOf({ finishedAt, leftUpstream }: ErasureRow): ErasureStatus {
  if (!finishedAt) return 'processing'
  return leftUpstream.length > 0 ? 'pending_operator' : 'done'
}
