import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import type { ServiceContext, UserContext } from '../context.ts'
import { createId } from '../ids.ts'
import { cleanText } from '../text-schemas.ts'
import { findEndUser, insertUser, selectUserNames, type UserRow } from './queries.ts'

/** The application's own name for an end user: an e-mail address, a UUID, anything that is theirs alone. */
export const endUserId = cleanText(256)
  .min(1)
  .refine((value) => !value.startsWith('erased:'), 'must not start with erased:')

/**
 * The end user of that name in the key's project, made at first use; without a name, the user who owns what belongs to none. Users of
 * the same name in other accounts and projects, and native ones, are somebody else.
 */
export async function ensureEndUser(ctx: ServiceContext, externalId: string | undefined): Promise<UserRow> {
  const { db } = ctx.services
  const found = await findEndUser(db, ctx.service, externalId)
  if (found) return found
  await inTransaction(db, async (tx) => {
    const { accountId, projectId } = ctx.service
    const kind = externalId === undefined ? 'owner' : 'end_user'
    const made = await insertUser(tx, { id: createId('usr'), accountId, projectId, kind, externalId: externalId ?? '' })
    if (made) await recordAudit(tx, ctx, { action: 'user.create', target: made.id })
  })
  const made = await findEndUser(db, ctx.service, externalId)
  if (!made) throw new Error('The end user was neither found nor made.')
  return made
}

/** The end user of that name, or the owner of what belongs to none, if they were made already: for what only reads. */
export function knownEndUser(ctx: ServiceContext, externalId: string | undefined): Promise<UserRow | undefined> {
  return findEndUser(ctx.services.db, ctx.service, externalId)
}

/** By our ids of users of the project: the application's own names for them; null for the owner of what belongs to none. */
export async function endUserNames(
  ctx: ServiceContext,
  userIds: readonly string[],
  db = ctx.services.db,
): Promise<ReadonlyMap<string, string | null>> {
  const rows = await selectUserNames(db, ctx.service, [...new Set(userIds)])
  return new Map(rows.map(({ id, kind, externalId }) => [id, kind === 'end_user' ? externalId : null]))
}

/** The same request, for one of the project's users. */
export function asUser(ctx: ServiceContext, user: Pick<UserRow, 'id' | 'externalId'>, turn: Disposable): UserContext {
  const { accountId, keyId } = ctx.service
  return { ...ctx, turn, caller: { accountId, keyId, userId: user.id, externalUserId: user.externalId } }
}
