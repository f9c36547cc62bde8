import { setImmediate } from 'node:timers/promises'
import { type Database, inTransaction } from '../../../db/database.ts'
import type { EngineContent, EnginePart } from '../../../db/schema/engine-messages.ts'
import type { BackendMessage } from '../../../ports/memory-backend.ts'
import { throwIfGivenUp } from './database-fault.ts'
import { type BufferedMessage, bufferMessages, type EngineSession, knownTimestamps } from './queries.ts'
import type { FileReader } from './reading/file-reader.ts'
import { MOST_CHARACTERS } from './reading/limits.ts'
import { cleanText, cutText } from './text/clean-text.ts'

const CHARACTERS_PER_STATEMENT = 500_000
const MESSAGES_PER_STATEMENT = 100
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

async function readMessage(
  message: BackendMessage,
  reader: FileReader,
  signal: AbortSignal | undefined,
): Promise<EngineContent> {
  const parts: EnginePart[] = []
  for (const item of message.items) {
    throwIfGivenUp(signal)
    if (item.type === 'file') parts.push(await reader.read(item.file, signal))
    else if (item.text.trim() !== '')
      parts.push({ text: cutText(cleanText(item.text.slice(0, MOST_CHARACTERS)), MOST_CHARACTERS) })
  }
  for (const call of message.toolCalls ?? []) {
    const text = toolCallText(call)
    if (text !== undefined) parts.push({ text })
  }
  return { speaker: cleanText(message.senderName), parts }
}

/** Statements of bounded size: a document's text may be long. */
function* pages(messages: readonly BufferedMessage[]): Generator<BufferedMessage[]> {
  let page: BufferedMessage[] = []
  let characters = 0
  for (const message of messages) {
    page.push(message)
    for (const { text } of message.content.parts) characters += text.length
    if (page.length < MESSAGES_PER_STATEMENT && characters < CHARACTERS_PER_STATEMENT) continue
    yield page
    page = []
    characters = 0
  }
  if (page.length > 0) yield page
}

/** Reads the files of those messages that are new, then buffers them, all or none. */
export async function addMessages(
  db: Database,
  reader: FileReader,
  session: EngineSession,
  messages: readonly BackendMessage[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const known = await knownTimestamps(
    db,
    session,
    messages.map(({ timestamp }) => timestamp),
  )
  const fresh: BufferedMessage[] = []
  for (const message of messages) {
    if (known.has(message.timestamp)) continue
    fresh.push({ timestamp: message.timestamp, content: await readMessage(message, reader, signal) })
  }
  throwIfGivenUp(signal)
  if (fresh.length === 0) return
  await inTransaction(db, async (tx) => {
    for (const page of pages(fresh)) {
      await bufferMessages(tx, session, page)
      await setImmediate()
    }
  })
}
