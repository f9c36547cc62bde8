import type { Database } from '../../db/database.ts'
import type { ContentKind } from '../../ports/memory-backend.ts'
import { type DetectedUpload, detectUpload } from '../attachments/detect-upload.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { eraseMemories } from '../erasure/erase-memories.ts'
import { createId, createMemoryId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { insertBatch } from '../relay/queries.ts'
import { discardReceiving } from '../sessions/discard-batch.ts'
import { ensureScope } from '../sessions/ensure-scope.ts'
import { type ScopeRow, setLastUpstreamTimestamp } from '../sessions/queries.ts'
import type { ResolvedMessage, Upload } from '../sessions/resolve-content.ts'
import { bytesOf, type PlannedBatch, planBatch, storeBatches, storePlanned } from '../sessions/store-batch.ts'
import { requireRoom } from '../usage/require-room.ts'
import { emitMemories } from '../webhooks/memory-events.ts'
import { assessText } from './assess-text.ts'
import { userScope } from './memory-scope.ts'
import {
  findByClientRef,
  findByExactText,
  insertMemory,
  insertRevision,
  lockMemories,
  lockUserMemories,
  type MemoryRow,
} from './queries.ts'
import { relayInBackground } from './relay-in-background.ts'
import { mayStateTheSame } from './rules/same-statement.ts'
import { NewMemory, requireFew } from './schemas.ts'
import { selectSimilar } from './search-queries.ts'
import { termsOf } from './terms.ts'

/** What is to be stored: a memory, and the files that belong to it. */
export interface MemoryToStore {
  readonly memory: unknown
  /** `declared`: what the caller says it is, if it does; content of another kind is refused. */
  readonly uploads?: readonly (Upload & { readonly declared?: ContentKind })[]
}

export type StoredMemory =
  | { readonly outcome: 'stored'; readonly memory: MemoryRow }
  /** It is there already: the same words, or what was sent under the same `clientRef`. */
  | { readonly outcome: 'duplicate'; readonly memory: MemoryRow; readonly by: 'content' | 'client_ref' }

/** So many of the most similar memories may say the opposite before one that says the same. */
const NEAREST = 10

export interface StoreOptions {
  /** Leave out what is as similar as this (0..1) to a memory that the user has, and does not say something else (`rules/same-statement.ts`). */
  readonly duplicatesFrom?: number | undefined
}

/**
 * Stores memories of one user, all or none, each with a session of its own through which the backend learns it. Resolves once they are
 * durable; the backend gets them meanwhile.
 */
export async function storeMemories(
  ctx: UserContext,
  items: readonly MemoryToStore[],
  options: StoreOptions = {},
  also: AlsoStore<readonly StoredMemory[]> = nothingElse,
): Promise<readonly StoredMemory[]> {
  requireFew(items)
  const scope = await ensureScope(ctx, { appId: 'default', projectId: 'default' })
  const planned = await Promise.all(items.map((item) => planMemory(ctx, scope, item)))
  const stored = await storeBatches(
    ctx,
    planned.map(({ batch }) => batch),
    async (tx) => {
      const results = await insertPlanned(tx, ctx, planned, options)
      await emitMemories(
        tx,
        ctx,
        'memory.created',
        results.flatMap((result) => (result.outcome === 'stored' ? [result.memory] : [])),
      )
      await also(tx, results)
      return results
    },
  )
  await discardDuplicates(ctx, planned, stored)
  relayInBackground(
    ctx,
    stored.flatMap((result) => (result.outcome === 'stored' ? [result.memory.sessionId] : [])),
  )
  return stored
}

/** Takes back the files of what was there already. */
async function discardDuplicates(
  ctx: UserContext,
  planned: readonly PlannedMemory[],
  results: readonly StoredMemory[],
): Promise<void> {
  for (const [index, { batch }] of planned.entries()) {
    if (results[index]?.outcome === 'duplicate' && batch.attachments.length > 0) {
      await discardReceiving(ctx, ctx.caller, batch.id)
    }
  }
}

export interface PlannedMemory {
  readonly id: string
  readonly input: NewMemory
  readonly batch: PlannedBatch
}

/** The message by which the backend learns a memory: its text, and its files. */
export async function planMemory(
  ctx: UserContext,
  scope: ScopeRow,
  { memory, uploads = [] }: MemoryToStore,
): Promise<PlannedMemory> {
  const input = parseInput(NewMemory, memory)
  const id = createMemoryId()
  const files = await Promise.all(uploads.map((upload) => detectUpload(upload, upload.declared, ctx.services.limits)))
  return { id, input, batch: planBatch(ctx, memoryTarget(scope, id), [memoryMessage(input.content, files)]) }
}

export function memoryTarget(scope: ScopeRow, id: string) {
  return { scope, sessionId: `memory:${id}`, kind: 'memory' as const }
}

export function memoryMessage(content: string, files: readonly DetectedUpload[]): ResolvedMessage {
  return {
    input: { role: 'user', content },
    items: [{ type: 'text', text: content }, ...files.map((upload) => ({ type: 'file' as const, upload }))],
  }
}

/** Within the transaction that stores them, in their order. */
export async function insertPlanned(
  tx: Database,
  ctx: UserContext,
  planned: readonly PlannedMemory[],
  options: StoreOptions,
): Promise<StoredMemory[]> {
  const mayRepeat = options.duplicatesFrom !== undefined || planned.some(({ input }) => input.clientRef !== undefined)
  if (mayRepeat) await lockUserMemories(tx, ctx.caller)
  else await requireRoom(tx, ctx, planned.length)
  const results: StoredMemory[] = []
  for (const plan of planned) {
    const duplicate = mayRepeat ? await findDuplicate(tx, ctx, plan.input, options) : undefined
    if (mayRepeat && !duplicate) await requireRoom(tx, ctx, 1)
    results.push(duplicate ?? { outcome: 'stored', memory: await insertOne(tx, ctx, plan) })
  }
  return results
}

async function findDuplicate(
  tx: Database,
  ctx: UserContext,
  { content, clientRef }: NewMemory,
  { duplicatesFrom }: StoreOptions,
): Promise<StoredMemory | undefined> {
  const sent = clientRef === undefined ? undefined : await findByClientRef(tx, ctx.caller, clientRef)
  // Its job deletes it any moment: it is in the way of the one that comes now.
  if (sent && isExpired(sent))
    await eraseMemories(tx, ctx, await lockMemories(tx, userScope(ctx, sent.userId), [sent.id]))
  else if (sent) return { outcome: 'duplicate', memory: sent, by: 'client_ref' }
  if (duplicatesFrom === undefined) return undefined
  const { terms, wordCount } = termsOf(content)
  if (terms.length === 0) {
    const same = await findByExactText(tx, ctx.caller, content)
    return same && { outcome: 'duplicate', memory: same, by: 'content' }
  }
  const words = terms.slice(0, wordCount || undefined)
  const scope = userScope(ctx, ctx.caller.userId)
  const near = await selectSimilar(tx, scope, words, {}, { limit: NEAREST, atLeast: duplicatesFrom })
  const similar = near.find(({ memory }) => mayStateTheSame(memory.content, content))
  return similar && { outcome: 'duplicate', memory: similar.memory, by: 'content' }
}

function isExpired({ expiresAt }: MemoryRow): boolean {
  return expiresAt !== null && expiresAt.getTime() <= Date.now()
}

async function insertOne(tx: Database, ctx: UserContext, { id, input, batch }: PlannedMemory): Promise<MemoryRow> {
  const stored = await storePlanned(tx, ctx, batch)
  await insertFlush(tx, ctx, stored.session.id, stored.position + 1)
  const assessed = assessText(input.content)
  const memory = await insertMemory(
    tx,
    { ...ctx.service, userId: ctx.caller.userId },
    {
      ...assessed,
      ...input,
      id,
      sessionId: stored.session.id,
      type: input.type ?? assessed.type,
      confidence: input.confidence ?? assessed.confidence,
      importance: input.importance ?? assessed.importance,
      ...termsOf(input.content),
    },
  )
  const diff = { importance: { old: null, new: memory.importance } }
  await insertRevision(tx, memory, { event: 'created', diff, actor: ctx.service.keyId })
  await recordAudit(tx, ctx, { action: 'memory.add', target: id, bytes: bytesOf(stored) })
  return memory
}

/** Has the backend extract the memory as soon as it has it. */
export async function insertFlush(tx: Database, ctx: UserContext, sessionId: string, position: number): Promise<void> {
  await insertBatch(tx, ctx.caller, { id: createId('bat'), action: 'flush', state: 'stored', sessionId, position })
  await setLastUpstreamTimestamp(tx, ctx.caller, sessionId, position)
}
