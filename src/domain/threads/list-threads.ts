import { selectResourceNames, selectThreads } from './queries.ts'
import type { ThreadPage } from './schemas.ts'
import type { RealmContext, ThreadRow } from './thread-context.ts'

/** The threads of the realm, or of one of its resources (our id of them), the one that changed last first. */
export function listThreads(
  ctx: RealmContext,
  { userId, ...page }: ThreadPage & { userId?: string | undefined },
): Promise<{ threads: ThreadRow[]; total: number }> {
  return selectThreads(ctx.services.db, ctx, userId, page)
}

/** By our id of a thread's user: the resource id, as the application gave it. */
export function resourceNames(
  ctx: RealmContext,
  threads: readonly Pick<ThreadRow, 'userId'>[],
  db = ctx.services.db,
): Promise<ReadonlyMap<string, string>> {
  return selectResourceNames(db, ctx, [...new Set(threads.map(({ userId }) => userId))])
}
