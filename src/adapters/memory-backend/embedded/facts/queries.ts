import { and, desc, eq, gt, inArray, isNull, lte, ne, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import type { Database } from '../../../../db/database.ts'
import { engineMemories, engineSessions } from '../../../../db/schema/index.ts'
import type { EngineSession, Partition } from '../queries.ts'
import type { Spender } from './budget.ts'
import type { DrawnFact, KnownFact } from './fact.ts'
import { MOST_PASSAGES, MOST_ROWS, type SaidPassage } from './window.ts'

/** The sole right, over all processes, to draw facts from a session until `lease`; then somebody else may take it. */
export interface Claim extends EngineSession, Spender {
  readonly lease: Date
  /** Unix ms. */
  readonly factsThrough: number
  /** Unix ms. */
  readonly flushedThrough: number
  readonly attempts: number
}

/** The terms of a fact besides what is drawn. */
export interface FactTerms {
  readonly subject: string
  readonly length: number
  readonly terms: string
  readonly termsVersion?: number
  readonly contentHash?: string
}

/** Longer than the calls for one window may take. */
export const LEASE_MS = 300_000
const EARLIER_MESSAGES = 4
const MOST_COUNTED = 10_000

const isFact = sql`${engineMemories.kind} = 'fact'`

/** In whole milliseconds: so it comes back unchanged as a `Date`. */
const inMs = (ms: number): SQL<Date> => sql`date_trunc('milliseconds', now() + ${ms} * interval '1 millisecond')`

function ofSession(table: typeof engineSessions | typeof engineMemories, session: EngineSession) {
  return and(
    eq(table.projectId, session.projectId),
    eq(table.senderId, session.senderId),
    eq(table.sessionId, session.sessionId),
  )
}

const claimed = {
  projectId: engineSessions.projectId,
  senderId: engineSessions.senderId,
  sessionId: engineSessions.sessionId,
  ownerId: sql<string>`coalesce(${engineSessions.ownerId}, ${engineSessions.senderId})`,
  lease: engineSessions.factsDueAt,
  factsThrough: engineSessions.factsThrough,
  flushedThrough: engineSessions.flushedThrough,
  attempts: engineSessions.factsAttempts,
}

async function claimWhere(db: Database, condition: SQL | undefined): Promise<Claim | undefined> {
  const [row] = await db
    .update(engineSessions)
    .set({ factsDueAt: inMs(LEASE_MS) })
    .where(and(condition, sql`${engineSessions.factsDueAt} <= now()`))
    .returning(claimed)
  return row?.lease ? { ...row, lease: row.lease } : undefined
}

/** Undefined if nothing waits in the session, if it is to wait longer, or somebody has it. */
export function claimSession(db: Database, session: EngineSession): Promise<Claim | undefined> {
  return claimWhere(db, ofSession(engineSessions, session))
}

/** System scope: the session, of whomever, that has waited longest. */
export function claimNext(db: Database): Promise<Claim | undefined> {
  const next = db
    .select({ p: engineSessions.projectId, u: engineSessions.senderId, s: engineSessions.sessionId })
    .from(engineSessions)
    .where(sql`${engineSessions.factsDueAt} <= now()`)
    .orderBy(engineSessions.factsDueAt)
    .limit(1)
    .for('update', { skipLocked: true })
  return claimWhere(
    db,
    sql`(${engineSessions.projectId}, ${engineSessions.senderId}, ${engineSessions.sessionId}) in (${next})`,
  )
}

/** System scope: how many sessions wait, and in how many ms the first of them is due. */
export async function countWaiting(db: Database): Promise<{ waiting: number; dueInMs: number }> {
  const some = db
    .select({ due: engineSessions.factsDueAt })
    .from(engineSessions)
    .where(sql`${engineSessions.factsDueAt} is not null`)
    .orderBy(engineSessions.factsDueAt)
    .limit(MOST_COUNTED)
    .as('some')
  const [row] = await db
    .select({
      waiting: sql<number>`count(*)::int`,
      dueInMs: sql<number>`greatest(0, ceil(extract(epoch from min(${some.due}) - now()) * 1000))::float8`,
    })
    .from(some)
  return { waiting: row?.waiting ?? 0, dueInMs: row?.dueInMs ?? 0 }
}

const isHeld = (claim: Claim) => and(ofSession(engineSessions, claim), eq(engineSessions.factsDueAt, claim.lease))

/** The claim with a new lease, and the session as it is now; undefined if it is not held any more, or the session is gone. */
export async function renewClaim(db: Database, claim: Claim): Promise<Claim | undefined> {
  const [row] = await db
    .update(engineSessions)
    .set({ factsDueAt: inMs(LEASE_MS) })
    .where(isHeld(claim))
    .returning(claimed)
  return row?.lease ? { ...row, lease: row.lease } : undefined
}

/** Ends the claim; the session is due again at a time, or in so many ms. */
export async function postponeSession(
  db: Database,
  claim: Claim,
  next: { readonly due: number | Date; readonly attempts: number; readonly error: string | null },
): Promise<void> {
  await db
    .update(engineSessions)
    .set({
      factsDueAt: typeof next.due === 'number' ? inMs(next.due) : next.due,
      factsAttempts: next.attempts,
      factsError: next.error,
    })
    .where(isHeld(claim))
}

const said = {
  timestamp: engineMemories.timestamp,
  speaker: engineMemories.speaker,
  role: engineMemories.role,
  body: engineMemories.body,
}

/** The beginnings of the messages that the model has not read, oldest first; at most `MOST_ROWS` passages. */
export function readUnread(db: Database, claim: Claim): Promise<SaidPassage[]> {
  return readPassages(
    db,
    and(
      ofSession(engineMemories, claim),
      gt(engineMemories.timestamp, claim.factsThrough),
      lte(engineMemories.timestamp, claim.flushedThrough),
      ne(engineMemories.kind, 'fact'),
      sql`${engineMemories.passage} < ${MOST_PASSAGES}`,
    ),
  )
}

async function readPassages(db: Database, condition: SQL | undefined): Promise<SaidPassage[]> {
  return await db
    .select(said)
    .from(engineMemories)
    .where(condition)
    .orderBy(engineMemories.timestamp, engineMemories.passage)
    .limit(MOST_ROWS)
}

/** The last messages that the model has read, oldest first. */
export async function readEarlier(db: Database, claim: Claim): Promise<SaidPassage[]> {
  const rows = await db
    .select(said)
    .from(engineMemories)
    .where(
      and(
        ofSession(engineMemories, claim),
        lte(engineMemories.timestamp, claim.factsThrough),
        ne(engineMemories.kind, 'fact'),
        eq(engineMemories.passage, 0),
      ),
    )
    .orderBy(desc(engineMemories.timestamp))
    .limit(EARLIER_MESSAGES)
  return rows.toReversed()
}

const known = { id: engineMemories.id, text: engineMemories.body, timestamp: engineMemories.timestamp }

const isValidFactOf = ({ projectId, senderId }: Partition) =>
  and(
    eq(engineMemories.projectId, projectId),
    eq(engineMemories.senderId, senderId),
    isFact,
    isNull(engineMemories.supersededBy),
  )

/** Facts of the partition that hold, the closest to `query` (a `tsquery` as text that names the partition) first. Of many that match, the newest are compared. */
export async function closestFacts(
  db: Database,
  partition: Partition,
  query: string,
  { most, mostCompared }: { most: number; mostCompared: number },
): Promise<KnownFact[]> {
  const matched = db
    .select({ ...known, terms: engineMemories.terms })
    .from(engineMemories)
    .where(and(isValidFactOf(partition), sql`${engineMemories.terms} @@ ${query}::tsquery`))
    .orderBy(desc(engineMemories.timestamp))
    .limit(mostCompared)
    .as('matched')
  return await db
    .select({ id: matched.id, text: matched.text, timestamp: matched.timestamp })
    .from(matched)
    .orderBy(sql`ts_rank(${matched.terms}, ${query}::tsquery, 1) desc`, desc(matched.timestamp), matched.id)
    .limit(most)
}

export async function newestFacts(db: Database, partition: Partition, most: number): Promise<KnownFact[]> {
  return await db
    .select(known)
    .from(engineMemories)
    .where(isValidFactOf(partition))
    .orderBy(desc(engineMemories.timestamp), engineMemories.id)
    .limit(most)
}

/** What was read is read; false if the claim is not held any more, or the session is gone. Its session stays claimed for as long as there is more to read. */
export async function advanceSession(tx: Database, claim: Claim, through: number): Promise<boolean> {
  const rows = await tx
    .update(engineSessions)
    .set({
      factsThrough: through,
      factsAttempts: 0,
      factsError: null,
      factsDueAt: sql`case when ${engineSessions.flushedThrough} > ${through} then ${engineSessions.factsDueAt} end`,
    })
    .where(isHeld(claim))
    .returning({ sessionId: engineSessions.sessionId })
  return rows.length > 0
}

/** A fact that the session holds already takes on the new sources; it is said again, so it holds again. */
export async function storeFact(
  tx: Database,
  session: EngineSession,
  fact: DrawnFact,
  terms: FactTerms,
): Promise<void> {
  const { id, text, type, confidence, occurredAt, speaker, role, timestamp, sourceTimestamps } = fact
  const { projectId, senderId, sessionId } = session
  // Terms also say in which week it stands.
  const newerOf = (column: SQLWrapper, given: string) =>
    sql`case when excluded."timestamp" > ${engineMemories.timestamp} then ${sql.raw(`excluded.${given}`)} else ${column} end`
  await tx
    .insert(engineMemories)
    .values({
      ...terms,
      id,
      projectId,
      senderId,
      sessionId,
      timestamp,
      passage: 0,
      body: text,
      kind: 'fact',
      speaker,
      role,
      factType: type,
      confidence,
      occurredAt: occurredAt ?? null,
      sourceTimestamps: [...sourceTimestamps],
    })
    .onConflictDoUpdate({
      target: engineMemories.id,
      set: {
        timestamp: sql`greatest(${engineMemories.timestamp}, excluded.timestamp)`,
        terms: newerOf(engineMemories.terms, 'terms'),
        termsVersion: newerOf(engineMemories.termsVersion, 'terms_version'),
        confidence: sql`greatest(${engineMemories.confidence}, excluded.confidence)`,
        occurredAt: sql`coalesce(${engineMemories.occurredAt}, excluded.occurred_at)`,
        sourceTimestamps: sql`array(select distinct s from unnest(${engineMemories.sourceTimestamps} || excluded.source_timestamps) s order by s)`,
        supersededBy: null,
      },
      setWhere: sql`${ofSession(engineMemories, session)} and ${isFact}`,
    })
}

/** Marks facts of the partition as contradicted by a newer one, unless that was forgotten while the model thought. */
export async function supersedeFacts(
  tx: Database,
  { projectId, senderId }: Partition,
  ids: readonly string[],
  by: string,
): Promise<void> {
  const isThere = sql`exists (select from ${engineMemories} newer
    where newer.id = ${by} and newer.project_id = ${projectId} and newer.sender_id = ${senderId})`
  const isOlder = and(inArray(engineMemories.id, [...ids]), ne(engineMemories.id, by))
  await tx
    .update(engineMemories)
    .set({ supersededBy: by })
    .where(and(isValidFactOf({ projectId, senderId }), isOlder, isThere))
}
