import type { ContentKind } from '../../ports/memory-backend.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import type { Upload } from '../sessions/resolve-content.ts'
import { meter } from '../usage/meter.ts'
import { type ConversationMessage, extractMemories } from './extract-memories.ts'
import { MAX_CONTENT, type NewMemory } from './schemas.ts'
import { type MemoryToStore, type StoredMemory, storeMemories } from './store-memories.ts'

export type DeclaredUpload = Upload & { readonly declared: ContentKind }

/** What was said, and the files that came with it. */
export interface SpokenMessage extends ConversationMessage {
  readonly uploads: readonly DeclaredUpload[]
}

export interface Conversation {
  readonly messages: readonly SpokenMessage[]
  /** Of every memory that comes of it. */
  readonly metadata: NewMemory['metadata']
  readonly origin: NewMemory['origin']
}

/**
 * Stores what is worth remembering of a conversation, also what the assistant said. The files of a message belong to the first memory that comes of
 * it; if none does, they are one themselves, with the words of the message. Counts each memory as an add of the key's; errors as of
 * `meter` and `storeMemories`.
 */
export async function rememberConversation(
  ctx: UserContext,
  { messages, metadata, origin }: Conversation,
  also: AlsoStore<readonly StoredMemory[]> = nothingElse,
): Promise<readonly StoredMemory[]> {
  const spoken = messages.map(({ role, content }) => ({ role, content }))
  const { candidates } = await extractMemories(ctx, spoken, { includeAssistant: true })
  const items: MemoryToStore[] = []
  const placed = new Set<number>()
  for (const { sources, ...memory } of candidates) {
    const own = sources.filter((index) => !placed.has(index))
    for (const index of own) placed.add(index)
    const uploads = own.flatMap((index) => messages[index]?.uploads ?? [])
    items.push({ memory: { ...memory, metadata, origin }, uploads })
  }
  for (const [index, { content, uploads }] of messages.entries()) {
    if (placed.has(index) || uploads.length === 0) continue
    items.push({ memory: { content: content.trim() || namesOf(uploads), metadata, origin }, uploads })
  }
  if (items.length > 0) await meter(ctx, { adds: items.length })
  return storeMemories(ctx, items, {}, also)
}

/** The text of a memory that is nothing but files. */
function namesOf(uploads: readonly DeclaredUpload[]): string {
  return uploads
    .map(({ declared, fileName, uploadId }) => `${declared}: ${fileName ?? uploadId}`)
    .join('\n')
    .slice(0, MAX_CONTENT)
}
