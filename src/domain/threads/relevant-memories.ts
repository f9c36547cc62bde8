import { estimateTokens } from '../../text/estimate-tokens.ts'
import { type SearchResult, searchMemory } from '../search/search-memory.ts'
import type { ChatTurn } from './chat-turn.ts'
import { item, type ShownMemory } from './memory-block.ts'
import { selectMemoriesInSight } from './recall-queries.ts'
import type { ThreadContext } from './thread-context.ts'
import { turnText, wordsOfTurn } from './turn-text.ts'

export interface RelevantMemory extends ShownMemory {
  /** As the API of its kind names it. */
  readonly id: string
}

/** What was found, still with what the model may have before it anyway. */
export interface FoundMemories {
  readonly all: readonly SearchResult[]
  /** Of independent files alone. */
  readonly library: readonly SearchResult[]
  /** Ids of explicit memories by session; those not in sight are left out. */
  readonly inSight: ReadonlyMap<string, string>
}

const LIBRARY_ITEMS = 4
/** The library has this part of the tokens for itself, as far as it needs them. */
const LIBRARY_SHARE = 1 / 4
const MOST_ITEM_TOKENS = 500
const MOST_ITEM_CHARACTERS = 8 * MOST_ITEM_TOKENS
/** Of the beginning and of the end of a long message, each. */
const QUERY_CHARACTERS = 500
/** In so many characters of what was sent last, memories are looked for that repeat it. */
const MOST_SAID = 256 * 1024
/** So many results are asked for one that is wanted: those that are in the history are left out. */
const SPARE = 3

const NOTHING: FoundMemories = { all: [], library: [], inSight: new Map() }

/** What the user's memory holds on what they said last. A search that fails, or is not done in time, finds nothing. */
export async function findRelevant(
  ctx: ThreadContext,
  sent: readonly ChatTurn[],
  signal: AbortSignal,
): Promise<FoundMemories> {
  const query = queryOf(sent)
  const { memoryItems: most, searchMs } = ctx.services.recall
  if (most === 0 || !/[\p{L}\p{N}]/u.test(query)) return NOTHING
  const bound = AbortSignal.any([signal, AbortSignal.timeout(searchMs)])
  return Promise.race([search({ ...ctx, signal: bound }, query, most), aborted(bound)]).catch((error: unknown) => {
    // Of a client who left there is no chat that goes on.
    if (!ctx.signal.aborted) ctx.log.warn({ err: error }, 'a chat went on without the memories that have to do with it')
    return NOTHING
  })
}

async function search(ctx: ThreadContext, query: string, most: number): Promise<FoundMemories> {
  const [all, library] = await Promise.all([
    searchMemory(ctx, { query, scope: ['all_user_memory'], top_k: Math.min(100, most * SPARE) }),
    searchMemory(ctx, { query, scope: ['resources'], top_k: LIBRARY_ITEMS * SPARE }),
  ])
  const explicit = all.results.filter(({ session }) => session.kind === 'memory').map(({ session }) => session.id)
  return {
    all: all.results.filter(holds),
    library: library.results.filter(holds),
    inSight: await selectMemoriesInSight(ctx.services.db, ctx.caller, [...new Set(explicit)]),
  }
}

/** What a newer fact contradicts would be taken for true. */
function holds({ hit }: SearchResult): boolean {
  return hit.fact?.supersededBy === undefined
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(signal.reason)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}

/** What the user said since the last answer; while tools are called, what they said before. */
function queryOf(sent: readonly ChatTurn[]): string {
  const last = sent.findLastIndex(({ role }) => role === 'user')
  const from = sent.slice(0, Math.max(last, 0)).findLastIndex(({ role }) => role !== 'user') + 1
  const said = sent
    .slice(from, last + 1)
    .map((turn) => wordsOfTurn(turn, 2 * QUERY_CHARACTERS))
    .join('\n')
    .trim()
  if (said.length <= 2 * QUERY_CHARACTERS) return said
  return `${said.slice(0, QUERY_CHARACTERS)}\n${said.slice(-QUERY_CHARACTERS)}`.toWellFormed()
}

/**
 * The memories to show, best first, then those of the library. Left out is what the model has before it anyway: what comes from
 * messages that are shown, what was sent just now, and what is there twice.
 */
export function chooseRelevant(
  found: FoundMemories,
  shown: { readonly messageIds: ReadonlySet<string>; readonly sent: readonly ChatTurn[] },
  bounds: { readonly memoryItems: number; readonly memoryTokens: number },
): RelevantMemory[] {
  const said = lastSaid(shown.sent)
  const met = new Set<string>()
  const isNew = (result: SearchResult): boolean => {
    const text = bare(textOf(result))
    const isShown = result.sources.length > 0 && result.sources.every(({ id }) => shown.messageIds.has(id))
    if (text === '' || isShown || met.has(text) || said.some((one) => one.includes(text))) return false
    met.add(text)
    return result.session.kind !== 'memory' || found.inSight.has(result.session.id)
  }
  const memories = firstOf(found.all, bounds.memoryItems, isNew)
  const files = firstOf(found.library, LIBRARY_ITEMS, isNew)
  const own = files.map((result) => toShown(result, found))
  const reserved = Math.min(bounds.memoryTokens * LIBRARY_SHARE, tokensOf(own))
  const chosen = fitting(
    memories.map((result) => toShown(result, found)),
    bounds.memoryTokens - reserved,
  )
  return [...chosen, ...fitting(own, bounds.memoryTokens - tokensOf(chosen))]
}

/** The newest texts, without what is further back than anybody looks. */
function lastSaid(sent: readonly ChatTurn[]): string[] {
  const said: string[] = []
  let left = MOST_SAID
  for (const turn of sent.toReversed()) {
    if (left <= 0) break
    const text = turnText(turn).slice(-left)
    left -= text.length
    said.push(bare(text))
  }
  return said
}

/** What is not taken is not met. */
function firstOf<T>(items: readonly T[], most: number, isWanted: (item: T) => boolean): T[] {
  const first: T[] = []
  for (const one of items) {
    if (first.length === most) break
    if (isWanted(one)) first.push(one)
  }
  return first
}

/** In their order; one that is too long makes room for the next. */
function fitting(memories: readonly RelevantMemory[], tokens: number): RelevantMemory[] {
  let left = tokens
  return memories.filter((memory) => {
    const needed = tokensOf([memory])
    if (needed > left) return false
    left -= needed
    return true
  })
}

function tokensOf(memories: readonly RelevantMemory[]): number {
  return memories.reduce((sum, memory, index) => sum + estimateTokens(item(memory, index)), 0)
}

function toShown(result: SearchResult, { inSight }: FoundMemories): RelevantMemory {
  return {
    id: inSight.get(result.session.id) ?? result.id,
    text: cut(textOf(result)),
    timestamp: result.hit.timestamp,
    source: sourceOf(result),
  }
}

function textOf({ hit }: SearchResult): string {
  return hit.text.trim() === '' ? hit.facts.join('\n') : hit.text
}

function sourceOf({ session, attachments, sources, hit }: SearchResult): string {
  const files = attachments.map(({ name }) => name).join(', ')
  const origin = session.kind === 'memory' ? 'explicit' : session.kind === 'resource' ? `file ${files}` : 'chat'
  // A model's words, not those of whoever is asked about it.
  if (hit.fact) return `${hit.fact.type} noted by a model, ${origin}`
  if (origin !== 'chat') return origin
  const isAnswer = sources.length > 0 && sources.every(({ senderId }) => senderId === 'assistant')
  return `${isAnswer ? 'an answer in a chat' : 'chat'}${files === '' ? '' : `, file ${files}`}`
}

function bare(text: string): string {
  return text.replace(/\s+/g, '').toLowerCase()
}

function cut(text: string): string {
  const whole = text.trim()
  let short = whole.slice(0, MOST_ITEM_CHARACTERS)
  for (;;) {
    const tokens = estimateTokens(short)
    if (tokens <= MOST_ITEM_TOKENS) break
    short = short.slice(0, Math.floor((short.length * MOST_ITEM_TOKENS * 0.95) / tokens))
  }
  return short === whole ? whole : `${short.toWellFormed().trimEnd()}…`
}
