import type { UserContext } from '../../../domain/context.ts'
import { GatewayError } from '../../../domain/errors.ts'
import type { AnswerSubject } from '../../../domain/idempotency/answer-subject.ts'
import { type MemoryToStore, type StoredMemory, storeMemories } from '../../../domain/memories/store-memories.ts'
import { knowsMemoryType } from '../../../domain/memories/vocabulary.ts'
import { isWorthKeeping } from '../../../domain/memories/worth-keeping.ts'
import type { HttpContext } from '../../../http/context.ts'
import { answer, answerOnce, type RouteClaim } from '../../../http/once.ts'
import { countUse } from '../../../http/quota.ts'
import { actAsEndUser, actAsItemUser, headerEndUser, type Sender } from '../auth.ts'
import { type FieldFault, invalidFields, MemorySyncError, missingEndUser, parsePart } from '../errors.ts'
import { toMemory, toSkip } from '../mapping.ts'
import { addRoute, type Router, readBody } from '../route.ts'
import { AddBody, BulkAddBody } from '../schemas.ts'

/** What is so similar to a memory of the same user, and denies nothing that it says, is the same again. */
export const SAME_FROM = 0.95
export const OVER_QUOTA = { status: 'ok' }
const WRITE = { scope: 'write', uses: { adds: 0 }, overQuota: OVER_QUOTA, body: 'json' } as const

export function addAddRoutes(router: Router): void {
  addRoute(router, 'POST', '/memory/add', WRITE, (c, sender) =>
    answerOnce(c, async (claim) => {
      const input = parsePart(AddBody, 'body', await readBody(c))
      const ctx = await actAsEndUser(c, sender, input.end_user_id)
      await claim.begin(ctx, input)
      await checkType(ctx, input)
      await countUse(c, ctx, { adds: 1 })
      if (!isWorthKeeping(input.text)) return answer(200, toSkip({ reason: 'no_high_value_content' }))
      const keep = claim.keep(answerAdded, subjectOfAdded)
      return answerAdded(await storeMemories(ctx, [toStore(input)], dedupe(input.deduplicate), keep))
    }),
  )

  addRoute(router, 'POST', '/memory/bulk-add', WRITE, (c, sender) =>
    answerOnce(c, (claim) => bulkAdd(c, sender, claim)),
  )
}

export function answerAdded([stored]: readonly StoredMemory[]) {
  if (!stored) throw new Error('Nothing was stored, and nothing was found instead.')
  return stored.outcome === 'stored' ? answer(201, toMemory(stored.memory)) : answer(200, toSkip(skipOf(stored)))
}

/** The answer shows what was stored, and goes with it. */
export function subjectOfAdded([stored]: readonly StoredMemory[]): AnswerSubject {
  return stored?.outcome === 'stored' ? { sessionId: stored.memory.sessionId } : {}
}

function skipOf({ memory, by }: Extract<StoredMemory, { outcome: 'duplicate' }>) {
  return by === 'client_ref'
    ? { reason: 'already_ingested', memoryIds: [memory.number] }
    : { reason: 'duplicate', memoryIds: [memory.number], extracted: 1 }
}

function dedupe(deduplicate = true) {
  return deduplicate ? { duplicatesFrom: SAME_FROM } : {}
}

function toStore(input: AddBody): MemoryToStore {
  const { text, memory_type: type, event_type: eventType, client_ref: clientRef, session_id, ttl_minutes } = input
  const { tags, importance, metadata, source } = input
  return {
    memory: {
      content: text,
      type,
      tags,
      importance,
      metadata,
      source,
      eventType,
      clientRef,
      ...(session_id !== undefined && { origin: { session_id } }),
      ...(ttl_minutes !== undefined && { expiresAt: new Date(Date.now() + ttl_minutes * 60_000) }),
    },
  }
}

async function checkType(ctx: UserContext, { memory_type: type }: AddBody): Promise<void> {
  if (type === undefined || (await knowsMemoryType(ctx, type))) return
  const msg = `memory_type: ${type} is no type of this project. PUT /memory/ontology adds types.`
  throw invalidFields([{ type: 'enum', loc: ['body', 'memory_type'], msg }])
}

interface ItemResult {
  readonly index: number
  readonly status: 'created' | 'skipped' | 'rejected'
  readonly memory_ids: readonly number[]
  readonly reason: string | null
}

interface WantedItem {
  readonly index: number
  readonly input: AddBody
}

async function bulkAdd(c: HttpContext, sender: Sender, claim: RouteClaim) {
  const { items, deduplicate } = parsePart(BulkAddBody, 'body', await readBody(c))
  const header = headerEndUser(c)
  const results: ItemResult[] = []
  const ofUser = new Map<string | undefined, WantedItem[]>()
  for (const [index, item] of items.entries()) {
    const input = parseItem(item, index, results)
    if (!input) continue
    const name = sender.user ? undefined : (input.end_user_id ?? header)
    if (name === undefined && !sender.user) throw missingEndUser()
    ofUser.set(name, [...(ofUser.get(name) ?? []), { index, input }])
  }
  // An account's key may write for several users in one call: the repetition is the key's.
  if (sender.user) await asOne(c, sender, undefined, (ctx) => claim.begin(ctx, { items, deduplicate }))
  else await claim.begin(sender.ctx, { header, items, deduplicate })
  await countUse(c, sender.ctx, { adds: items.length })
  const groups = [...ofUser]
  for (const [position, [name, wanted]] of groups.entries()) {
    const isLast = position === groups.length - 1
    await asOne(c, sender, name, async (ctx) => {
      try {
        results.push(...(await storeGroup(ctx, wanted, { deduplicate, results, claim: isLast ? claim : undefined })))
      } catch (error) {
        if (!results.some(({ status }) => status === 'created') || !isOverQuota(error)) throw error
        results.push(...wanted.map(({ index }) => rejected(index, 'quota_exhausted')))
      }
    })
  }
  return answerBulk(results)
}

/** Users take their turns one after the other: nobody holds one while waiting for another's. */
async function asOne<T>(
  c: HttpContext,
  sender: Sender,
  name: string | undefined,
  work: (ctx: UserContext) => Promise<T>,
): Promise<T> {
  const ctx = await actAsItemUser(c, sender, name)
  try {
    return await work(ctx)
  } finally {
    ctx.turn[Symbol.dispose]()
  }
}

async function storeGroup(
  ctx: UserContext,
  wanted: readonly WantedItem[],
  batch: { deduplicate: boolean | undefined; results: readonly ItemResult[]; claim: RouteClaim | undefined },
): Promise<ItemResult[]> {
  const skipped: ItemResult[] = []
  const kept: WantedItem[] = []
  for (const item of wanted) {
    const { memory_type: type, text } = item.input
    if (type !== undefined && !(await knowsMemoryType(ctx, type)))
      skipped.push(rejected(item.index, `unknown memory_type: ${type}`))
    else if (isWorthKeeping(text)) kept.push(item)
    else skipped.push({ index: item.index, status: 'skipped', memory_ids: [], reason: 'no_high_value_content' })
  }
  if (kept.length === 0) return skipped
  const render = (stored: readonly StoredMemory[]) => [
    ...skipped,
    ...stored.flatMap((one, position) => {
      const item = kept[position]
      return item ? [toItemResult(item.index, one)] : []
    }),
  ]
  const keep = batch.claim?.keep((stored: readonly StoredMemory[]) => answerBulk([...batch.results, ...render(stored)]))
  return render(
    await storeMemories(
      ctx,
      kept.map(({ input }) => toStore(input)),
      dedupe(batch.deduplicate),
      keep,
    ),
  )
}

function toItemResult(index: number, stored: StoredMemory): ItemResult {
  const memory_ids = [stored.memory.number]
  if (stored.outcome === 'stored') return { index, status: 'created', memory_ids, reason: null }
  return { index, status: 'skipped', memory_ids, reason: skipOf(stored).reason }
}

function rejected(index: number, reason: string): ItemResult {
  return { index, status: 'rejected', memory_ids: [], reason }
}

function parseItem(item: unknown, index: number, results: ItemResult[]): AddBody | undefined {
  try {
    return parsePart(AddBody, 'body', item)
  } catch (error) {
    if (!(error instanceof MemorySyncError)) throw error
    const [fault] = (error.body['detail'] ?? []) as readonly FieldFault[]
    results.push(rejected(index, fault?.msg ?? error.message))
    return undefined
  }
}

function isOverQuota(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'quota_exceeded'
}

function answerBulk(results: readonly ItemResult[]) {
  const countOf = (wanted: ItemResult['status']) => results.filter(({ status }) => status === wanted).length
  return answer(200, {
    total: results.length,
    created: countOf('created'),
    skipped: countOf('skipped'),
    rejected: countOf('rejected'),
    results: results.toSorted((one, other) => one.index - other.index),
  })
}
