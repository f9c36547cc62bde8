import type { MemoryHit } from '../../ports/memory-backend.ts'
import { rankTexts } from '../../text/rank-texts.ts'
import { queryTerms } from '../../text/tokenise.ts'
import type { Context } from '../context.ts'
import { Pacer } from '../pacer.ts'
import type { ScopeRow } from '../sessions/queries.ts'
import { type LedgerMessage, type LedgerRange, selectUnextracted, selectUnrelayed } from './ledger-queries.ts'

/** A hit has at least this share of the query's weight: about one word of a few, two of many. */
const LEAST_SCORE = 0.1
const LEAST_TERMS = 0.75
/** And this part of what the best one has. */
const LEAST_OF_BEST = 0.5

export interface LedgerHit {
  readonly messageId: string
  readonly hit: MemoryHit
}

/**
 * What the backend cannot find yet: messages that are stored here and that it has not taken (it is away, or busy), and, where it finds nothing
 * before a flush, those of which it has made no memory. To be read before the backend is asked, so that what it takes meanwhile is found by one of
 * the two.
 */
export async function readLedger(ctx: Context, range: LedgerRange): Promise<LedgerMessage[]> {
  const { db, backend } = ctx.services
  if (backend.findsUnflushed) return selectUnrelayed(db, ctx.caller, range)
  const messages = await selectUnextracted(db, ctx.caller, range)
  return [...new Map(messages.map((message) => [message.id, message])).values()]
}

/** Those of the messages that answer the query by their words, or by the names of their files; best first, as pending hits. */
export async function rankLedger(
  scope: ScopeRow,
  messages: readonly LedgerMessage[],
  { query, minScore = 0, explain }: { query: string; minScore?: number | undefined; explain: boolean },
): Promise<LedgerHit[]> {
  if (messages.length === 0) return []
  const pacer = new Pacer()
  const newestFirst = messages.toSorted((one, other) => other.upstreamTimestamp - one.upstreamTimestamp)
  const texts = newestFirst.map(({ speaker, text, names }) => `${speaker}\n${text}\n${names}`)
  const ranked = await rankTexts(query, texts, (characters) => pacer.take(characters))
  const share = Math.min(LEAST_SCORE, LEAST_TERMS / queryTerms(query).length)
  const least = Math.max(share, minScore, (ranked[0]?.score ?? 0) * LEAST_OF_BEST)
  return ranked.flatMap(({ index, score }) => {
    const message = newestFirst[index]
    if (!message || score < least) return []
    return [{ messageId: message.id, hit: toHit(scope, message, score, explain) }]
  })
}

function toHit(scope: ScopeRow, message: LedgerMessage, score: number, explain: boolean): MemoryHit {
  const { id, upstreamSessionId: sessionId, upstreamTimestamp: timestamp, speaker } = message
  return {
    id: `message ${id}`,
    projectId: scope.upstreamProjectId,
    senderId: scope.upstreamSenderId,
    sessionId,
    text: [message.text, message.names].filter((part) => part.trim() !== '').join('\n'),
    facts: [],
    score,
    timestamp,
    sources: [{ sessionId, timestamp }],
    pending: true,
    speaker,
    ...(explain && { explanation: { words: score } }),
  }
}
