import type { Context, Space } from '../context.ts'
import { createId, createUpstreamName } from '../ids.ts'
import { findScope, insertScope, type ScopeRow } from './queries.ts'

/** The caller's scope for an app and project, with its random upstream names; made at first use. */
export async function ensureScope(ctx: Context, space: Space): Promise<ScopeRow> {
  const { db } = ctx.services
  const found = await findScope(db, ctx.caller, space)
  if (found) return found
  await insertScope(db, ctx.caller, {
    id: createId('scp'),
    ...space,
    upstreamProjectId: createUpstreamName('p'),
    upstreamSenderId: createUpstreamName('u'),
  })
  const made = await findScope(db, ctx.caller, space)
  if (!made) throw new Error('The scope was neither found nor made.')
  return made
}
