import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import type { OperatorContext } from '../context.ts'
import { issueKey } from '../secret-key.ts'
import { findAdminKey, insertAdminKey, replaceAdminKey } from './queries.ts'

/** `secret` only for the one who made the key: it is shown then and never again. */
export interface AdminKey {
  readonly hash: string
  readonly secret?: string
}

/** The admin key of a gateway for which none is set: made by the first that asks, of however many that ask at once. */
export async function ensureAdminKey(ctx: OperatorContext): Promise<AdminKey> {
  const { db } = ctx.services
  const found = await findAdminKey(db)
  if (found !== undefined) return { hash: found }
  const { secret, hash } = issueKey('mga_')
  const isOurs = await inTransaction(db, async (tx) => {
    const isFirst = await insertAdminKey(tx, hash)
    if (isFirst) await recordAudit(tx, ctx, { action: 'admin_key.create', target: 'generated' })
    return isFirst
  })
  if (isOurs) return { hash, secret }
  const others = await findAdminKey(db)
  if (others === undefined) throw new Error('The admin key was neither made nor found.')
  return { hash: others }
}

/** Makes another admin key in the place of the generated one. A gateway learns it when it starts. */
export async function renewAdminKey(ctx: OperatorContext): Promise<Required<AdminKey>> {
  const { secret, hash } = issueKey('mga_')
  await inTransaction(ctx.services.db, async (tx) => {
    await replaceAdminKey(tx, hash)
    await recordAudit(tx, ctx, { action: 'admin_key.create', target: 'generated' })
  })
  return { hash, secret }
}
