import { setTimeout as sleep } from 'node:timers/promises'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import {
  type Gathered,
  gatherMemories,
  rankGathered,
} from '../../src/adapters/memory-backend/embedded/retrieval/rank-lexically.ts'
import type { Weights } from '../../src/adapters/memory-backend/embedded/retrieval/score.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { engineMemories } from '../../src/db/schema/index.ts'
import type { EmbeddingModel } from '../../src/ports/embedding-model.ts'
import type { BackendMessage, MemoryBackend } from '../../src/ports/memory-backend.ts'
import type { Conversation, Question, Turn } from './conversations.ts'

const MOST_HITS = 50

export interface LoadedEngine {
  readonly backend: MemoryBackend
  /** By `search`, as a gateway asks it. */
  find(conversation: Conversation, question: Question): Promise<string[]>
  /** The lexical ranking alone, with other weights. */
  rank(conversation: Conversation, question: Question, weights: Weights): Promise<string[]>
}

const partitionOf = ({ name, speakers }: Conversation) => ({ projectId: name, senderId: `user-${speakers[0]}` })
const sessionName = (session: number): string => `session-${session}`
const keyOf = (sessionId: string, timestamp: number): string => `${sessionId} ${timestamp}`

function messageOf({ speakers }: Conversation, { speaker, text, timestamp }: Turn, senderId: string): BackendMessage {
  const isUser = speaker === speakers[0]
  return {
    role: isUser ? 'user' : 'assistant',
    senderId: isUser ? senderId : 'other',
    senderName: speaker,
    timestamp,
    items: [{ type: 'text', text }],
  }
}

async function addAll(backend: MemoryBackend, conversation: Conversation): Promise<void> {
  const partition = partitionOf(conversation)
  const sessions = new Set(conversation.turns.map(({ session }) => session))
  for (const session of sessions) {
    const messages = conversation.turns
      .filter((turn) => turn.session === session)
      .map((turn) => messageOf(conversation, turn, partition.senderId))
    const target = { ...partition, sessionId: sessionName(session) }
    await backend.add(target, messages)
    await backend.flush(target)
  }
}

/** Puts every conversation into an embedded backend on `db`, one partition each; with a model, until all is embedded. */
export async function loadEngine(
  { db, withOwnSession }: DatabaseConnection,
  conversations: readonly Conversation[],
  model?: EmbeddingModel,
): Promise<LoadedEngine> {
  const backend = createEmbeddedBackend({ db, ...(model && { embedding: { model, withOwnSession } }) })
  const turns = new Map<string, Map<string, string>>()
  for (const conversation of conversations) {
    await addAll(backend, conversation)
    const ids = conversation.turns.map(
      ({ id, session, timestamp }) => [keyOf(sessionName(session), timestamp), id] as const,
    )
    turns.set(conversation.name, new Map(ids))
  }
  for (let left = model ? 1 : 0; left > 0; ) {
    const { remaining, againInMs = 0 } = await backend.tend()
    left = remaining
    if (left > 0) await sleep(againInMs)
  }
  const { id, projectId, sessionId, timestamp } = engineMemories
  const rows = await db.select({ id, projectId, sessionId, timestamp }).from(engineMemories)
  const memories = new Map(
    rows.map((row) => [row.id, turns.get(row.projectId)?.get(keyOf(row.sessionId, row.timestamp))]),
  )
  const gatheredFor = new Map<Question, Promise<Gathered | undefined>>()
  const once = (ids: readonly (string | undefined)[]) => [...new Set(ids.filter((id) => id !== undefined))]
  return {
    backend,
    find: async (conversation, { text: query }) => {
      const { askedAt } = conversation
      const { hits, notice } = await backend.search({ ...partitionOf(conversation), query, topK: MOST_HITS, askedAt })
      if (notice !== undefined) throw new Error(notice)
      const sources = hits.flatMap((hit) => hit.sources ?? [])
      return once(sources.map((at) => turns.get(conversation.name)?.get(keyOf(at.sessionId, at.timestamp))))
    },
    rank: async (conversation, question, weights) => {
      const gathered = gatheredFor.get(question) ?? gather(db, conversation, question)
      gatheredFor.set(question, gathered)
      const memoriesFound = await gathered
      const ranked = memoriesFound ? rankGathered(memoriesFound, weights) : []
      return once(ranked.slice(0, MOST_HITS).map((memory) => memories.get(memory.id)))
    },
  }
}

function gather(
  db: DatabaseConnection['db'],
  conversation: Conversation,
  { text }: Question,
): Promise<Gathered | undefined> {
  const range = { ...partitionOf(conversation), from: 0, to: Number.MAX_SAFE_INTEGER, sessionIds: undefined }
  return gatherMemories(db, range, { text, askedAt: conversation.askedAt }, MOST_HITS)
}
