import { type Database, inTransaction } from '../../../db/database.ts'
import type { BackendMessage } from '../../../ports/memory-backend.ts'
import { composeMemories } from './compose-memories.ts'
import { throwIfGivenUp } from './database-fault.ts'
import type { Embeddings } from './embeddings/embeddings.ts'
import type { NameText, TextNames } from './embeddings/text-names.ts'
import type { LongAdds } from './long-adds.ts'
import type { EngineSession } from './queries.ts'
import { insertMemories, insertMessages, knownTimestamps, type MessageContent, type NewMemory } from './queries.ts'
import { type ReadContext, readMessages } from './read-messages.ts'

/** Small pages, and a turn for others between them: on PGlite, statements hold up the whole process. */
const MEMORIES_PER_PAGE = 10

/** What an add needs besides its messages. */
export interface AddContext extends ReadContext {
  readonly db: Database
  readonly embeddings: Embeddings | undefined
  readonly longAdds: LongAdds
}

/** Without those messages with files that the backend has already: their files need not be read again. */
async function withoutKnownFiles(
  db: Database,
  session: EngineSession,
  messages: readonly BackendMessage[],
): Promise<readonly BackendMessage[]> {
  const withFiles = messages.filter(({ items }) => items.some(({ type }) => type === 'file'))
  if (withFiles.length === 0) return messages
  const times = withFiles.map(({ timestamp }) => timestamp)
  const known = await knownTimestamps(db, session, times)
  return messages.filter(({ timestamp }) => !known.has(timestamp))
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
  const fresh = await withoutKnownFiles(context.db, session, messages)
  if (fresh.length === 0) return
  const { read, end } = await readMessages(context, session, fresh, signal)
  try {
    throwIfGivenUp(signal)
    const first = Math.min(...read.map(({ timestamp }) => timestamp))
    const names = embeddings && (await embeddings.namesFor(session, first))
    await keepMessages(context, session, read, names, signal)
    if (names) await embeddings.noticed(session, names.given)
  } finally {
    end()
  }
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
