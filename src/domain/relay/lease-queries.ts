import { and, eq, inArray, isNotNull, isNull, lte, notExists, or, sql } from 'drizzle-orm'
import { type Database, preparedOn, WITHOUT_WAITING } from '../../db/database.ts'
import { type BatchState, batches } from '../../db/schema/batches.ts'
import { scopes } from '../../db/schema/scopes.ts'
import { type SessionKind, sessions } from '../../db/schema/sessions.ts'

/** Waiting for the backend, in whatever way. */
export const OPEN_STATES: BatchState[] = ['stored', 'relaying', 'unknown']

/** System scope: all here belongs to the relay, which works for every user. */
export interface ClaimedSession {
  readonly id: string
  readonly userId: string
  readonly kind: SessionKind
  readonly deletedAt: Date | null
  readonly upstreamProjectId: string
  readonly upstreamSenderId: string
  readonly upstreamSessionId: string
  /** By which it is held. */
  readonly token: string
}

const claimStatement = preparedOn((db) =>
  db
    .update(sessions)
    .set({
      relayToken: sql`${sql.placeholder('token')}`,
      relayLeaseUntil: sql`now() + ${sql.placeholder('leaseMs')}::float8 * interval '1 millisecond'`,
    })
    .from(scopes)
    .where(
      and(
        eq(sessions.id, sql.placeholder('sessionId')),
        eq(scopes.id, sessions.scopeId),
        or(isNull(sessions.relayLeaseUntil), lte(sessions.relayLeaseUntil, sql`now()`)),
        WITHOUT_WAITING,
      ),
    )
    .returning({
      id: sessions.id,
      userId: sessions.userId,
      kind: sessions.kind,
      deletedAt: sessions.deletedAt,
      upstreamProjectId: scopes.upstreamProjectId,
      upstreamSenderId: scopes.upstreamSenderId,
      upstreamSessionId: sessions.upstreamSessionId,
    })
    .prepare('claim_session'),
)

/** Takes the session for `leaseMs`. `held`: another has it; `gone`: there is no such session. */
export async function claimSession(
  db: Database,
  sessionId: string,
  token: string,
  leaseMs: number,
): Promise<ClaimedSession | 'held' | 'gone'> {
  const [claimed] = await claimStatement(db).execute({ sessionId, token, leaseMs })
  if (claimed) return { ...claimed, token }
  return (await db.$count(sessions, eq(sessions.id, sessionId))) > 0 ? 'held' : 'gone'
}

/** False if the lease was lost: whoever held it must stop. */
export async function extendLease(db: Database, sessionId: string, token: string, leaseMs: number): Promise<boolean> {
  const rows = await db
    .update(sessions)
    .set({ relayLeaseUntil: leaseEnd(leaseMs) })
    .where(and(eq(sessions.id, sessionId), eq(sessions.relayToken, token)))
    .returning({ id: sessions.id })
  return rows.length > 0
}

const releaseIdleStatement = preparedOn((db) =>
  db
    .update(sessions)
    .set({ relayToken: null, relayLeaseUntil: null })
    .where(
      and(
        eq(sessions.id, sql.placeholder('sessionId')),
        eq(sessions.relayToken, sql.placeholder('token')),
        notExists(
          db
            .select({ id: batches.id })
            .from(batches)
            .where(and(eq(batches.sessionId, sql.placeholder('sessionId')), inArray(batches.state, OPEN_STATES))),
        ),
        WITHOUT_WAITING,
      ),
    )
    .returning({ id: sessions.id })
    .prepare('release_idle_session'),
)

/** Gives the session back if nothing is left to relay in it; false if there is, or if it is ours no more. */
export async function releaseIfIdle(db: Database, sessionId: string, token: string): Promise<boolean> {
  return (await releaseIdleStatement(db).execute({ sessionId, token })).length > 0
}

const releaseStatement = preparedOn((db) =>
  db
    .update(sessions)
    .set({ relayToken: null, relayLeaseUntil: null })
    .where(
      and(
        eq(sessions.id, sql.placeholder('sessionId')),
        eq(sessions.relayToken, sql.placeholder('token')),
        WITHOUT_WAITING,
      ),
    )
    .prepare('release_session'),
)

export async function releaseSession(db: Database, sessionId: string, token: string): Promise<void> {
  await releaseStatement(db).execute({ sessionId, token })
}

/** For a process that alone uses its database, at its start: whoever held a lease is dead. */
export async function releaseAllSessions(db: Database): Promise<void> {
  await db.update(sessions).set({ relayToken: null, relayLeaseUntil: null }).where(isNotNull(sessions.relayToken))
}

function leaseEnd(leaseMs: number) {
  return sql`now() + ${leaseMs} * interval '1 millisecond'`
}
