import { and, eq, lt, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { seenTurns } from '../../db/schema/seen-turns.ts'
import type { Owner } from '../context.ts'
import { idUnlessErased } from '../users/queries.ts'

const KEPT_DAYS = 30
const oldest = sql`now() - ${KEPT_DAYS} * interval '1 day'`

/** Whether the turn was sent to extraction in the last 30 days. */
export async function wasSeen(db: Database, owner: Owner, fingerprint: string): Promise<boolean> {
  const [row] = await db
    .select({ isRecent: sql<boolean>`${seenTurns.createdAt} >= ${oldest}` })
    .from(seenTurns)
    .where(and(eq(seenTurns.userId, owner.userId), eq(seenTurns.fingerprint, fingerprint)))
  return row?.isRecent ?? false
}

/** False if it was seen in the last 30 days. */
export async function markSeen(tx: Database, owner: Owner, fingerprint: string): Promise<boolean> {
  const rows = await tx
    .insert(seenTurns)
    .values({ userId: idUnlessErased(owner), fingerprint })
    .onConflictDoUpdate({
      target: [seenTurns.userId, seenTurns.fingerprint],
      set: { createdAt: sql`now()` },
      setWhere: lt(seenTurns.createdAt, oldest),
    })
    .returning({ fingerprint: seenTurns.fingerprint })
  return rows.length > 0
}

/** System scope: what is older than 30 days. */
export async function deleteOldSeenTurns(db: Database): Promise<void> {
  await db.delete(seenTurns).where(lt(seenTurns.createdAt, oldest))
}
