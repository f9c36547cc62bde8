import { isDeepStrictEqual } from 'node:util'
import type { Database } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { deleteFacts } from '../memories/delete-facts.ts'
import { extractFacts, storeFacts } from '../memories/extract-facts.ts'
import { factRef } from '../memories/fact-source.ts'
import type { MemoryRow } from '../memories/queries.ts'
import { termsOf } from '../memories/terms.ts'
import { parseInput } from '../parse-input.ts'
import { meter } from '../usage/meter.ts'
import { findState, lockPlace, reserveStateId, type StateRow, upsertState } from './queries.ts'
import { PutStateInput, type StatePlace } from './schemas.ts'

export interface PutState {
  readonly item: StateRow
  /** False if the key held this very value. */
  readonly created: boolean
  /** Whether the text was searched for facts. */
  readonly extracted: boolean
  /** The memories of the value before, which went with it. */
  readonly replacedFacts: readonly MemoryRow[]
}

const ATTEMPTS = 4

/** Somebody else changed what is under the key meanwhile. */
class ValueMoved extends Error {}

/**
 * Has a key hold a value, in place of the one that it held, and stores with it what its text has that is worth to be remembered. The
 * same value again changes nothing. A change counts as one add: `quota_exceeded` beyond the plan.
 */
export async function putState(
  ctx: UserContext,
  input: unknown,
  also: AlsoStore<PutState> = nothingElse,
): Promise<PutState> {
  const asked = parseInput(PutStateInput, input)
  const place = { source: asked.source, namespace: asked.namespace, key: asked.key }
  let isCounted = false
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await findState(ctx.services.db, ctx.caller, place)
    if (!isCounted && !(before && isSame(before, asked))) {
      await meter(ctx, { adds: 1 })
      isCounted = true
    }
    try {
      const { put, objects } = await write(ctx, place, asked, before, also)
      await deleteObjects(ctx, objects)
      return put
    } catch (error) {
      if (!(error instanceof ValueMoved)) throw error
    }
  }
  throw new GatewayError('conflict', 'Others are changing this key now. Try again.', { retryAfter: 1 })
}

/** A text that nobody gave is the value's JSON, in whatever order its keys are. */
function isSame(row: StateRow, { value, text }: PutStateInput): boolean {
  if (!isDeepStrictEqual(row.value, value)) return false
  return text === undefined
    ? isJsonOf(row.text, value)
    : row.text === text || (isJsonOf(text, value) && isJsonOf(row.text, value))
}

function isJsonOf(text: string, value: unknown): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(text), value)
  } catch {
    return false
  }
}

interface Written {
  readonly put: PutState
  readonly objects: readonly AttachmentRow[]
}

async function write(
  ctx: UserContext,
  place: StatePlace,
  asked: PutStateInput,
  before: StateRow | undefined,
  also: AlsoStore<PutState>,
): Promise<Written> {
  if (before && isSame(before, asked)) return keepAsIs(ctx, place, before, asked, also)
  const id = before?.id ?? (await reserveStateId(ctx.services.db))
  const text = asked.text ?? JSON.stringify(asked.value)
  const extracts = asked.extract && text.trim() !== ''
  const found = extracts ? await extractFacts(ctx, [{ role: 'user', content: text }], asked) : []
  const facts = found.map(({ memory }) => ({ memory: { ...memory, clientRef: factRef('state', [id]) } }))
  const replaces = asked.replaceFacts && before !== undefined
  const store = async (tx: Database): Promise<Written> => {
    const now = await lockAndFind(tx, ctx, place)
    if (now?.id !== before?.id || (now && isSame(now, asked))) throw new ValueMoved()
    const { value, metadata = null } = asked
    const item = await upsertState(tx, ctx.caller, id, place, { value, text, metadata, ...termsOf(text) })
    const refs = facts.map(({ memory }) => memory.clientRef)
    const gone = replaces ? await deleteFacts(tx, ctx, 'state', [id], refs) : { facts: [], objects: [] }
    await recordAudit(tx, ctx, { action: 'state.write', target: `h_${id}`, bytes: Buffer.byteLength(text) })
    const put = { item, created: true, extracted: extracts, replacedFacts: gone.facts }
    await also(tx, put)
    return { put, objects: gone.objects }
  }
  // A fact of the old value must not stand for one of the new, and then go.
  return storeFacts(ctx, facts, store, { onlyNew: !replaces })
}

function keepAsIs(
  ctx: UserContext,
  place: StatePlace,
  before: StateRow,
  asked: PutStateInput,
  also: AlsoStore<PutState>,
): Promise<Written> {
  return storeFacts(ctx, [], async (tx) => {
    const now = await lockAndFind(tx, ctx, place)
    if (now?.id !== before.id || !isSame(now, asked)) throw new ValueMoved()
    const put = { item: now, created: false, extracted: false, replacedFacts: [] }
    await also(tx, put)
    return { put, objects: [] }
  })
}

async function lockAndFind(tx: Database, ctx: UserContext, place: StatePlace): Promise<StateRow | undefined> {
  await lockPlace(tx, ctx.caller, place)
  return findState(tx, ctx.caller, place)
}
