import type { EngineContent, EnginePart } from '../../../db/schema/engine-messages.ts'
import type { BackendFile, BackendMessage } from '../../../ports/memory-backend.ts'
import { throwIfGivenUp } from './database-fault.ts'
import type { FileDescriber } from './facts/file-describer.ts'
import type { MessageContent, Partition } from './queries.ts'
import type { FileReader } from './reading/file-reader.ts'
import { MOST_CHARACTERS } from './reading/limits.ts'
import { cleanText, cutText } from './text/clean-text.ts'
import { type EndTurn, Turns } from './turns.ts'

const LONGEST_TOOL_CALL = 2_000

/** Files whose text this process holds at a time, and of one user's: what waits for its turn has not been read. An add of more files counts as the latter. */
const MOST_FILES = 32
const MOST_FILES_OF_ONE = 8
/** Adds whose files models describe at a time. A call may take most of a minute, and holds its picture. */
const MOST_DESCRIBED = 16
const MOST_DESCRIBED_OF_ONE = 4

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

export interface ReadContext {
  readonly reader: FileReader
  /** Undefined: no model is asked what files show or say. */
  readonly describer: FileDescriber | undefined
  readonly fileTurns: FileTurns
}

/** Whose files are read and described, in this process. */
export class FileTurns {
  readonly describing = new Turns({ most: MOST_DESCRIBED, mostOfOne: MOST_DESCRIBED_OF_ONE })
  readonly reading = new Turns({ most: MOST_FILES, mostOfOne: MOST_FILES_OF_ONE })
}

type Descriptions = ReadonlyMap<BackendFile, string>

export interface ReadMessages {
  readonly read: readonly MessageContent[]
  /** To be called when their texts are not needed any more. */
  readonly end: EndTurn
}

/** What messages and their files say; waits for its turn if there are files. */
export async function readMessages(
  context: ReadContext,
  partition: Partition,
  messages: readonly BackendMessage[],
  signal: AbortSignal | undefined,
): Promise<ReadMessages> {
  const files = messages.flatMap(({ items }) => items.flatMap((item) => (item.type === 'file' ? [item.file] : [])))
  const { descriptions, end } = await beginReading(context, partition, messages, files, signal)
  const readFile = async (file: BackendFile) => {
    const [first, ...rest] = await context.reader.read(file, partition, signal)
    const described = descriptions.get(file)
    return [described === undefined ? first : { ...first, text: `${first.text}\n${described}` }, ...rest]
  }
  try {
    const read: MessageContent[] = []
    for (const message of messages)
      read.push({ timestamp: message.timestamp, content: await readMessage(message, readFile, signal) })
    return { read, end }
  } catch (error) {
    end()
    throw error
  }
}

/**
 * Models describe the files before any is read, as they may take long: meanwhile no text is held, and nobody's turn to read is taken. What they said counts
 * as being described until it is that turn.
 */
async function beginReading(
  { describer, fileTurns }: ReadContext,
  partition: Partition,
  messages: readonly BackendMessage[],
  files: readonly BackendFile[],
  signal: AbortSignal | undefined,
): Promise<{ descriptions: Descriptions; end: EndTurn }> {
  if (files.length === 0) return { descriptions: new Map(), end: () => {} }
  if (!describer || !files.some((file) => describer.mayDescribe(file)))
    return { descriptions: new Map(), end: await fileTurns.reading.begin(partition, signal, files.length) }
  const endDescribing = await fileTurns.describing.begin(partition, signal)
  try {
    const descriptions = await describeFiles(describer, messages, signal)
    return { descriptions, end: await fileTurns.reading.begin(partition, signal, files.length) }
  } finally {
    endDescribing()
  }
}

async function describeFiles(
  describer: FileDescriber,
  messages: readonly BackendMessage[],
  signal: AbortSignal | undefined,
): Promise<Descriptions> {
  const descriptions = new Map<BackendFile, string>()
  for (const { items } of messages) {
    const around = items.flatMap((item) => (item.type === 'text' ? [item.text] : [])).join('\n')
    for (const item of items) {
      throwIfGivenUp(signal)
      const described = item.type === 'file' ? await describer.describe(item.file, around, signal) : undefined
      if (item.type === 'file' && described !== undefined) descriptions.set(item.file, described)
    }
  }
  return descriptions
}

async function readMessage(
  message: BackendMessage,
  readFile: (file: BackendFile) => Promise<readonly EnginePart[]>,
  signal: AbortSignal | undefined,
): Promise<EngineContent> {
  const parts: EnginePart[] = []
  for (const item of message.items) {
    throwIfGivenUp(signal)
    if (item.type === 'file') parts.push(...(await readFile(item.file)))
    else if (item.text.trim() !== '')
      parts.push({ text: cutText(cleanText(item.text.slice(0, MOST_CHARACTERS)), MOST_CHARACTERS) })
  }
  for (const call of message.toolCalls ?? []) {
    const text = toolCallText(call)
    if (text !== undefined) parts.push({ text })
  }
  return { speaker: cleanText(message.senderName), role: message.role, parts }
}
