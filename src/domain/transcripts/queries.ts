import { and, asc, count, desc, eq, inArray, or, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { transcriptTurns as turns } from '../../db/schema/transcript-turns.ts'
import type { Owner } from '../context.ts'
import { idUnlessErased } from '../users/queries.ts'

/** jsonb as text: of a string that looks like a number the drivers make a number. */
const columns = {
  id: turns.id,
  source: turns.source,
  sessionId: turns.sessionId,
  role: turns.role,
  content: turns.content,
  seq: turns.seq,
  occurredAt: turns.occurredAt,
  payload: sql<string | null>`${turns.payload}::text`,
  fingerprint: turns.fingerprint,
  createdAt: turns.createdAt,
}

type Selected = Omit<typeof turns.$inferSelect, 'userId' | 'payload'> & { readonly payload: string | null }
export type TurnRow = Omit<Selected, 'payload'> & { readonly payload: unknown }
export type NewTurn = Pick<TurnRow, 'id' | 'role' | 'content' | 'seq' | 'occurredAt' | 'payload' | 'fingerprint'>

function withPayload(row: Selected): TurnRow {
  return { ...row, payload: row.payload === null ? null : (JSON.parse(row.payload) as unknown) }
}

/** A session of one source. */
export interface Transcript {
  readonly source: string
  readonly sessionId: string
}

function inTranscript(owner: Owner, { source, sessionId }: { source?: string | undefined; sessionId: string }) {
  return and(
    eq(turns.userId, owner.userId),
    source === undefined ? undefined : eq(turns.source, source),
    eq(turns.sessionId, sessionId),
  )
}

/** Those who add to a transcript come one after the other. Until the transaction ends. */
export async function lockTranscript(tx: Database, owner: Owner, transcript: Transcript): Promise<void> {
  const name = JSON.stringify(['transcript', owner.userId, transcript.source, transcript.sessionId])
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`)
}

/** Ids that no turn has or will have but those that are inserted with them, ascending. */
export async function reserveTurnIds(db: Database, howMany: number): Promise<number[]> {
  const next = sql<number>`nextval(pg_get_serial_sequence('transcript_turns', 'id'))`.mapWith(Number)
  const rows = await db.select({ id: next }).from(sql`generate_series(1, ${howMany}::int)`)
  return rows.map(({ id }) => id).toSorted((one, other) => one - other)
}

/** Turns that may be among those sent: with one of these fingerprints, or at one of these places. */
export async function findSentBefore(
  db: Database,
  owner: Owner,
  transcript: Transcript,
  sent: { readonly fingerprints: readonly string[]; readonly seqs: readonly number[] },
): Promise<TurnRow[]> {
  if (sent.fingerprints.length + sent.seqs.length === 0) return []
  const rows = await db
    .select(columns)
    .from(turns)
    .where(
      and(
        inTranscript(owner, transcript),
        or(
          sent.fingerprints.length > 0 ? inArray(turns.fingerprint, [...sent.fingerprints]) : undefined,
          sent.seqs.length > 0 ? inArray(turns.seq, [...sent.seqs]) : undefined,
        ),
      ),
    )
    .orderBy(asc(turns.id))
  return rows.map(withPayload)
}

export async function insertTurns(
  tx: Database,
  owner: Owner,
  transcript: Transcript,
  rows: readonly NewTurn[],
): Promise<TurnRow[]> {
  const at = sql`clock_timestamp()`
  const inserted = await tx
    .insert(turns)
    .overridingSystemValue()
    .values(
      rows.map(({ payload, ...row }) => ({
        ...row,
        ...transcript,
        payload: payload === null ? null : sql`${JSON.stringify(payload)}::text::jsonb`,
        userId: idUnlessErased(owner),
        createdAt: at,
      })),
    )
    .returning(columns)
  return inserted.map(withPayload)
}

/** The latest first. */
const LATEST = [sql`${turns.seq} desc nulls first`, desc(turns.id)] as const

export interface TurnSelection {
  readonly source?: string | undefined
  readonly sessionId: string
  /** The latest so many; 0: all. */
  readonly limit: number
}

/** How many turns the session has, and how many bytes those have that are selected. */
export async function measureTurns(
  db: Database,
  owner: Owner,
  selection: TurnSelection,
): Promise<{ total: number; bytes: number }> {
  const size = sql<number>`octet_length(${turns.content}) + coalesce(octet_length(${turns.payload}::text), 0)`
  const latest = db
    .select({ size: size.as('size') })
    .from(turns)
    .where(inTranscript(owner, selection))
    .orderBy(...LATEST)
  const selected = (selection.limit === 0 ? latest : latest.limit(selection.limit)).as('selected')
  const [measured] = await db
    .select({ bytes: sql<number>`coalesce(sum(${selected.size}), 0)`.mapWith(Number) })
    .from(selected)
  const [counted] = await db.select({ total: count() }).from(turns).where(inTranscript(owner, selection))
  return { total: counted?.total ?? 0, bytes: measured?.bytes ?? 0 }
}

/** Oldest first: by their places, those without one last, then as they came. */
export async function selectTurns(db: Database, owner: Owner, selection: TurnSelection): Promise<TurnRow[]> {
  const latest = db
    .select(columns)
    .from(turns)
    .where(inTranscript(owner, selection))
    .orderBy(...LATEST)
  const rows = await (selection.limit === 0 ? latest : latest.limit(selection.limit))
  return rows.map(withPayload).toReversed()
}

export interface DeletedTurn {
  readonly id: number
  readonly sessionId: string
}

export type TurnsToDelete = { readonly source?: string | undefined } & (
  | { readonly sessionId: string }
  | { readonly ids: readonly number[] }
)

/** Some of those that are there. */
export function deleteSomeTurns(
  tx: Database,
  owner: Owner,
  selection: TurnsToDelete,
  limit: number,
): Promise<DeletedTurn[]> {
  const which: SQL | undefined =
    'ids' in selection
      ? and(
          eq(turns.userId, owner.userId),
          selection.source === undefined ? undefined : eq(turns.source, selection.source),
          inArray(turns.id, [...selection.ids]),
        )
      : inTranscript(owner, selection)
  const some = tx.select({ id: turns.id }).from(turns).where(which).orderBy(asc(turns.id)).limit(limit).for('update')
  return tx.delete(turns).where(inArray(turns.id, some)).returning({ id: turns.id, sessionId: turns.sessionId })
}
