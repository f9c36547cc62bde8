import { and, eq, inArray, ne, notExists, sql } from 'drizzle-orm'
import { type Database, preparedOn, WITHOUT_WAITING } from '../../db/database.ts'
import { batches } from '../../db/schema/batches.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { type ClaimedSession, OPEN_STATES } from './lease-queries.ts'
import type { BatchRow } from './queries.ts'

/** What a process last saw of a batch: if it is something else by now, another process is at it. */
export type BatchMark = Pick<BatchRow, 'id' | 'state' | 'attempts'>

const advanceStatement = preparedOn((db) =>
  db
    .update(batches)
    .set({
      state: sql`${sql.placeholder('newState')}`,
      attempts: sql`coalesce(${sql.placeholder('newAttempts')}::int, ${batches.attempts})`,
      reason: sql`${sql.placeholder('reason')}`,
      upstreamRequestId: sql`coalesce(${sql.placeholder('upstreamRequestId')}::text, ${batches.upstreamRequestId})`,
      settlesAt: sql`case when ${sql.placeholder('keepsSettling')}::boolean then ${batches.settlesAt}
        else now() + ${sql.placeholder('settleMs')}::float8 * interval '1 millisecond' end`,
      updatedAt: sql`now()`,
    })
    .where(
      and(
        eq(batches.id, sql.placeholder('id')),
        eq(batches.state, sql.placeholder('state')),
        eq(batches.attempts, sql.placeholder('attempts')),
      ),
    )
    .returning({ id: batches.id })
    .prepare('advance_batch'),
)

/**
 * Changes a batch that is still as `mark` says; false if it is not, or gone. `attempts` undefined: as they were. `settleMs` counts from now; null: it
 * is settled; undefined: as it was.
 */
export async function advanceBatch(
  db: Database,
  mark: BatchMark,
  change: Pick<BatchRow, 'state' | 'reason'> & {
    attempts?: number
    upstreamRequestId?: string
    settleMs: number | null | undefined
  },
): Promise<boolean> {
  const { id, state, attempts } = mark
  const { settleMs } = change
  const rows = await advanceStatement(db).execute({
    id,
    state,
    attempts,
    newState: change.state,
    newAttempts: change.attempts ?? null,
    reason: change.reason,
    upstreamRequestId: change.upstreamRequestId ?? null,
    keepsSettling: settleMs === undefined,
    settleMs: settleMs ?? null,
  })
  return rows.length > 0
}

/** The session's row first, as all have it. */
const finishStatement = preparedOn((db) => {
  const held = db.$with('held').as(
    db
      .select({ id: sessions.id })
      .from(sessions)
      .where(and(eq(sessions.id, sql.placeholder('sessionId')), WITHOUT_WAITING))
      .for('update'),
  )
  const done = db.$with('done').as(
    db
      .update(batches)
      .set({
        state: 'relayed',
        reason: null,
        upstreamRequestId: sql`${sql.placeholder('upstreamRequestId')}`,
        settlesAt: null,
        updatedAt: sql`now()`,
      })
      .from(held)
      .where(
        and(
          eq(batches.id, sql.placeholder('id')),
          eq(batches.state, sql.placeholder('state')),
          eq(batches.attempts, sql.placeholder('attempts')),
        ),
      )
      .returning({ id: batches.id, sessionId: batches.sessionId }),
  )
  const others = db
    .select({ id: batches.id })
    .from(batches)
    .where(
      and(
        eq(batches.sessionId, sql.placeholder('sessionId')),
        inArray(batches.state, OPEN_STATES),
        ne(batches.id, sql.placeholder('id')),
      ),
    )
  const released = db.$with('released').as(
    db
      .update(sessions)
      .set({ relayToken: null, relayLeaseUntil: null })
      .from(done)
      .where(and(eq(sessions.id, done.sessionId), eq(sessions.relayToken, sql.placeholder('token')), notExists(others)))
      .returning({ id: sessions.id }),
  )
  return db
    .with(held, done, released)
    .select({ isReleased: sql<boolean>`exists (select from ${released})` })
    .from(done)
    .prepare('finish_batch')
})

/**
 * Marks a batch that is still as `mark` says as relayed, and gives its session back if nothing else is left to relay in it. `gone` if it is not as
 * said, or if the session is gone. What a fall of the server undoes of it is found out by looking for the messages.
 */
export async function finishBatch(
  db: Database,
  session: ClaimedSession,
  { id, state, attempts }: BatchMark,
  upstreamRequestId: string,
): Promise<{ readonly isReleased: boolean } | 'gone'> {
  const given = { id, state, attempts, upstreamRequestId, sessionId: session.id, token: session.token }
  const [finished] = await finishStatement(db).execute(given)
  return finished ?? 'gone'
}
