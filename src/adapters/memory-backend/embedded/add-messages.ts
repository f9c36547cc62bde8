import { type Database, inTransaction } from '../../../db/database.ts'
import type { EngineContent, EnginePart } from '../../../db/schema/engine-messages.ts'
import type { BackendFile, BackendMessage } from '../../../ports/memory-backend.ts'
import { composeMemories } from './compose-memories.ts'
import { throwIfGivenUp } from './database-fault.ts'
import type { Embeddings } from './embeddings/embeddings.ts'
import type { NameText, TextNames } from './embeddings/text-names.ts'
import type { FileDescriber } from './facts/file-describer.ts'
import type { LongAdds } from './long-adds.ts'
import type { EngineSession } from './queries.ts'
import { insertMemories, insertMessages, knownTimestamps, type MessageContent, type NewMemory } from './queries.ts'
import type { FileReader } from './reading/file-reader.ts'
import { MOST_CHARACTERS } from './reading/limits.ts'
import { cleanText, cutText } from './text/clean-text.ts'

/** Small pages, and a turn for others between them: on PGlite, statements hold up the whole process. */
const MEMORIES_PER_PAGE = 10
const LONGEST_TOOL_CALL = 2_000

interface ToolCall {
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown }
}

/** A call in OpenAI's form, as a line; others say nothing that could be found again. */
function toolCallText(call: unknown): string | undefined {
  const { name, arguments: given } = (call as ToolCall | null)?.function ?? {}
  if (typeof name !== 'string') return undefined
  return cutText(
    cleanText(`${name} ${typeof given === 'string' ? given : JSON.stringify(given ?? {})}`),
    LONGEST_TOOL_CALL,
  )
}

/** What an add needs besides its messages. */
export interface AddContext {
  readonly db: Database
  readonly reader: FileReader
  /** Undefined: no model is asked what files show or say. */
  readonly describer: FileDescriber | undefined
  readonly embeddings: Embeddings | undefined
  readonly longAdds: LongAdds
}

type ReadContext = Pick<AddContext, 'reader' | 'describer'>

async function readMessage(
  message: BackendMessage,
  context: ReadContext,
  signal: AbortSignal | undefined,
): Promise<EngineContent> {
  const parts: EnginePart[] = []
  for (const item of message.items) {
    throwIfGivenUp(signal)
    if (item.type === 'file') parts.push(...(await readFile(item.file, message, context, signal)))
    else if (item.text.trim() !== '')
      parts.push({ text: cutText(cleanText(item.text.slice(0, MOST_CHARACTERS)), MOST_CHARACTERS) })
  }
  for (const call of message.toolCalls ?? []) {
    const text = toolCallText(call)
    if (text !== undefined) parts.push({ text })
  }
  return { speaker: cleanText(message.senderName), role: message.role, parts }
}

async function readFile(
  file: BackendFile,
  { items }: BackendMessage,
  { reader, describer }: ReadContext,
  signal: AbortSignal | undefined,
): Promise<readonly EnginePart[]> {
  const around = items.flatMap((item) => (item.type === 'text' ? [item.text] : [])).join('\n')
  const [[first, ...rest], described] = await Promise.all([
    reader.read(file, signal),
    describer?.describe(file, around, signal),
  ])
  return [described === undefined ? first : { ...first, text: `${first.text}\n${described}` }, ...rest]
}

/** Their files are read unless the backend has them already. */
async function readMessages(
  context: AddContext,
  session: EngineSession,
  messages: readonly BackendMessage[],
  signal: AbortSignal | undefined,
): Promise<MessageContent[]> {
  const withFiles = messages.filter(({ items }) => items.some(({ type }) => type === 'file'))
  const times = withFiles.map(({ timestamp }) => timestamp)
  const known = times.length > 0 ? await knownTimestamps(context.db, session, times) : new Set<number>()
  const read: MessageContent[] = []
  for (const message of messages) {
    if (known.has(message.timestamp)) continue
    read.push({ timestamp: message.timestamp, content: await readMessage(message, context, signal) })
  }
  return read
}

function* pages(
  session: EngineSession,
  messages: readonly MessageContent[],
  name: NameText = (memory) => memory,
): Generator<NewMemory[]> {
  let page: NewMemory[] = []
  for (const { timestamp, content } of messages) {
    for (const memory of composeMemories(session, timestamp, content)) {
      if (page.push(name(memory)) < MEMORIES_PER_PAGE) continue
      yield page
      page = []
    }
  }
  if (page.length > 0) yield page
}

/** Keeps those messages that are new, and memories of what they and their files say; all or none. */
export async function addMessages(
  context: AddContext,
  session: EngineSession,
  messages: readonly BackendMessage[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { embeddings } = context
  const read = await readMessages(context, session, messages, signal)
  throwIfGivenUp(signal)
  if (read.length === 0) return
  const names = embeddings && (await embeddings.namesFor(session, Math.min(...read.map(({ timestamp }) => timestamp))))
  await keepMessages(context, session, read, names, signal)
  if (names) await embeddings.noticed(session, names.given)
}

async function keepMessages(
  { db, longAdds }: AddContext,
  session: EngineSession,
  read: readonly MessageContent[],
  names: TextNames | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const times = read.map(({ timestamp }) => timestamp)
  const [first = [], second] = pages(session, read, names?.begin()).take(2)
  if (!second) {
    await insertMessages(db, session, times, first)
    return
  }
  const keepPages = async (tx: Database) => {
    const fresh = await insertMessages(tx, session, times, first)
    for (const page of pages(session, read, names?.begin()).drop(1)) {
      const memories = page.filter(({ timestamp }) => fresh.has(timestamp))
      if (memories.length > 0) await insertMemories(tx, session, memories)
      await longAdds.rest()
    }
  }
  await longAdds.run(session, () => inTransaction(db, keepPages), signal)
}
