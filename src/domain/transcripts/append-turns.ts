import { createHash } from 'node:crypto'
import type { Database } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { extractFacts, storeFacts } from '../memories/extract-facts.ts'
import type { ConversationMessage } from '../memories/extract-memories.ts'
import { factRef } from '../memories/fact-source.ts'
import { parseInput } from '../parse-input.ts'
import { meter } from '../usage/meter.ts'
import {
  findSentBefore,
  insertTurns,
  lockTranscript,
  type NewTurn,
  reserveTurnIds,
  type Transcript,
  type TurnRow,
} from './queries.ts'
import { AppendTurnsInput, type TurnInput } from './schemas.ts'

export interface AppendedTurn {
  readonly turn: TurnRow
  /** False if it was stored before. */
  readonly created: boolean
}

export interface AppendedTurns {
  /** In the order in which they were sent. */
  readonly turns: readonly AppendedTurn[]
  /** Whether turns were searched for facts. */
  readonly extracted: boolean
}

const ATTEMPTS = 4

/** Somebody stored or deleted one of the turns meanwhile. */
class PlanOutdated extends Error {}

/**
 * Adds turns to a transcript, all or none, and with them what their users said that is worth to be remembered. A turn that was sent
 * before, by its idempotency key or by its place, role and content, is not stored again. A call that stores something counts as one
 * add: `quota_exceeded` beyond the plan.
 */
export async function appendTurns(
  ctx: UserContext,
  input: unknown,
  also: AlsoStore<AppendedTurns> = nothingElse,
): Promise<AppendedTurns> {
  const asked = parseInput(AppendTurnsInput, input)
  let isCounted = false
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const plan = await planTurns(ctx, asked)
    if (plan.fresh.length > 0 && !isCounted) {
      await meter(ctx, { adds: 1 })
      isCounted = true
    }
    try {
      return await writeTurns(ctx, asked, plan, also)
    } catch (error) {
      if (!(error instanceof PlanOutdated)) throw error
    }
  }
  throw new GatewayError('conflict', 'Others are adding the same turns now. Try again.', { retryAfter: 1 })
}

interface Sent {
  readonly input: TurnInput
  readonly fingerprint: string | null
}

interface Plan {
  readonly sent: readonly Sent[]
  /** Of the turns sent, in their order: those that are not stored yet, each once. */
  readonly fresh: readonly Sent[]
}

async function planTurns(ctx: UserContext, { turns, ...transcript }: AppendTurnsInput): Promise<Plan> {
  const sent = turns.map((turn) => ({ input: turn, fingerprint: fingerprintOf(turn) }))
  return { sent, fresh: freshOf(sent, await findBefore(ctx.services.db, ctx, transcript, sent)) }
}

function freshOf(sent: readonly Sent[], before: readonly TurnRow[]): Sent[] {
  const fresh: Sent[] = []
  for (const turn of sent) {
    const isKnown = before.some((row) => isSame(row, turn)) || fresh.some((one) => isRepeated(one, turn))
    if (!isKnown) fresh.push(turn)
  }
  return fresh
}

function findBefore(db: Database, ctx: UserContext, transcript: Transcript, sent: readonly Sent[]): Promise<TurnRow[]> {
  return findSentBefore(db, ctx.caller, transcript, {
    fingerprints: sent.flatMap(({ fingerprint }) => fingerprint ?? []),
    seqs: sent.flatMap(({ input: { seq } }) => seq ?? []),
  })
}

/** By the caller's key, else by place, role and content. Without key and place every turn is a new one. */
function fingerprintOf({ idempotencyKey, seq, role, content }: TurnInput): string | null {
  if (idempotencyKey !== undefined) return hash(['key', idempotencyKey])
  return seq === undefined ? null : hash(['place', seq, role, content])
}

function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

function isSame(row: Pick<TurnRow, 'fingerprint' | 'seq' | 'role' | 'content'>, { fingerprint, input }: Sent): boolean {
  if (fingerprint !== null && row.fingerprint === fingerprint) return true
  return input.seq !== undefined && row.seq === input.seq && row.role === input.role && row.content === input.content
}

function isRepeated(one: Sent, other: Sent): boolean {
  return isSame({ ...one.input, seq: one.input.seq ?? null, fingerprint: one.fingerprint }, other)
}

async function writeTurns(
  ctx: UserContext,
  asked: AppendTurnsInput,
  { sent, fresh }: Plan,
  also: AlsoStore<AppendedTurns>,
): Promise<AppendedTurns> {
  const { db } = ctx.services
  const transcript = { source: asked.source, sessionId: asked.sessionId }
  const ids = fresh.length > 0 ? await reserveTurnIds(db, fresh.length) : []
  const rows = fresh.map((turn, index) => toRow(turn, ids[index] ?? 0))
  const mayHaveFacts = asked.extract && fresh.some(({ input }) => input.role === 'user')
  const facts = mayHaveFacts ? await extractFacts(ctx, fresh.map(toMessage), asked) : []
  const marked = facts.map(({ memory, sources }) => {
    const from = sources.flatMap((index) => ids[index] ?? [])
    return { memory: { ...memory, clientRef: factRef('turn', from) } }
  })
  return storeFacts(ctx, marked, async (tx) => {
    await lockTranscript(tx, ctx.caller, transcript)
    const before = await findBefore(tx, ctx, transcript, sent)
    const now = freshOf(sent, before)
    if (now.length !== fresh.length || now.some((turn, index) => turn !== fresh[index])) throw new PlanOutdated()
    const inserted = rows.length > 0 ? await insertTurns(tx, ctx.caller, transcript, rows) : []
    const [first, last] = [ids.at(0), ids.at(-1)]
    if (first !== undefined && last !== undefined) {
      const target = first === last ? `h_${first}` : `h_${first}..h_${last}`
      await recordAudit(tx, ctx, { action: 'transcript.write', target, bytes: bytesOf(rows) })
    }
    const result = { turns: resultOf(sent, before, inserted), extracted: mayHaveFacts }
    await also(tx, result)
    return result
  })
}

function toRow({ input, fingerprint }: Sent, id: number): NewTurn {
  const { role, content, seq = null, occurredAt = null, payload = null } = input
  return { id, role, content, seq, occurredAt, payload, fingerprint }
}

function toMessage({ input: { role, content } }: Sent): ConversationMessage {
  return { role: role === 'user' || role === 'assistant' || role === 'system' ? role : 'tool', content }
}

function bytesOf(rows: readonly NewTurn[]): number {
  return rows.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
}

/** Turns without a fingerprint are new, and stand in the order in which they were sent. */
function resultOf(
  sent: readonly Sent[],
  before: readonly TurnRow[],
  inserted: readonly TurnRow[],
): readonly AppendedTurn[] {
  const waiting = inserted.toSorted((one, other) => one.id - other.id)
  const done: TurnRow[] = []
  return sent.map((turn) => {
    const known = before.find((row) => isSame(row, turn)) ?? done.find((row) => isSame(row, turn))
    if (known) return { turn: known, created: false }
    const next = waiting.shift()
    if (!next) throw new Error('A turn was neither stored before nor now.')
    done.push(next)
    return { turn: next, created: true }
  })
}
