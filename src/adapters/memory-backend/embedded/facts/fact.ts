import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { FactDetails } from '../../../../ports/memory-backend.ts'
import type { EngineSession } from '../queries.ts'
import { cleanText } from '../text/clean-text.ts'
import type { ShownMessage, Window } from './window.ts'

const factTypes = ['preference', 'fact', 'experience', 'goal', 'relationship'] as const satisfies FactDetails['type'][]

/** Plain types only: providers differ in what else of a schema they know. Bounds are checked on the answer. */
export const FactsAnswer = z.strictObject({
  facts: z.array(
    z.strictObject({
      text: z.string(),
      type: z.enum(factTypes),
      confidence: z.number(),
      occurred_at: z.string().nullable(),
      sources: z.array(z.number()),
      replaces: z.array(z.number()),
    }),
  ),
})
type Proposed = z.infer<typeof FactsAnswer>['facts'][number]

/** A fact that is stored already, of any session of the partition. */
export interface KnownFact {
  readonly id: string
  readonly text: string
  /** Unix ms. */
  readonly timestamp: number
}

export interface DrawnFact extends Omit<FactDetails, 'supersededBy'> {
  readonly id: string
  readonly text: string
  /** Of whoever said it. */
  readonly speaker: string
  readonly role: ShownMessage['role']
  /** Unix ms of its newest source. */
  readonly timestamp: number
  /** Oldest first; at least one. */
  readonly sourceTimestamps: readonly number[]
  /** Known facts that are not true any more. */
  readonly replaces: readonly KnownFact[]
}

export interface DrawnFacts {
  readonly facts: readonly DrawnFact[]
  /** How many of the answer were refused. */
  readonly dropped: number
}

const MOST_FACTS = 40
const LONGEST_FACT = 500
const EARLIEST_YEAR = 1800
const FARTHEST_AHEAD_MS = 100 * 365.25 * 86_400_000

/**
 * What of a model's answer can be believed: a fact has a text of bounded length and names messages that it was shown, one of the new ones among them.
 * The same fact given twice is one.
 */
export function acceptFacts(
  session: EngineSession,
  answer: z.infer<typeof FactsAnswer>,
  window: Window,
  known: readonly KnownFact[],
): DrawnFacts {
  const accepted = new Map<string, DrawnFact>()
  for (const proposed of answer.facts.slice(0, MOST_FACTS)) {
    const fact = accept(session, proposed, window, known)
    if (!fact) continue
    const twin = accepted.get(fact.id)
    accepted.set(fact.id, twin ? merge(twin, fact) : fact)
  }
  const named = answer.facts.length
  // What is said anew in this window is not replaced by it: of two that replace each other, neither could be found as the valid one.
  const facts = Array.from(accepted.values(), (fact) => ({
    ...fact,
    replaces: fact.replaces.filter(({ id }) => !accepted.has(id)),
  }))
  return { facts, dropped: named - facts.length }
}

function accept(
  session: EngineSession,
  proposed: Proposed,
  { earlier, messages }: Window,
  known: readonly KnownFact[],
): DrawnFact | undefined {
  const text = cleanText(proposed.text).replace(/\s+/g, ' ').trim()
  if (text === '' || text.length > LONGEST_FACT) return undefined
  const shown = [...earlier, ...messages]
  const named = [...new Set(proposed.sources)].flatMap((number) => shown[number - 1] ?? [])
  const sources = named.toSorted((one, other) => one.timestamp - other.timestamp)
  const said = sources.find((source) => messages.includes(source))
  const newest = sources.at(-1)
  if (!said || !newest) return undefined
  const occurredAt = momentOf(proposed.occurred_at, newest.timestamp)
  return {
    id: factId(session, text),
    text,
    type: proposed.type,
    confidence: Number.isFinite(proposed.confidence) ? Math.min(1, Math.max(0, proposed.confidence)) : 0,
    ...(occurredAt !== undefined && { occurredAt }),
    speaker: said.speaker,
    role: said.role,
    timestamp: newest.timestamp,
    sourceTimestamps: sources.map(({ timestamp }) => timestamp),
    replaces: [...new Set(proposed.replaces)].flatMap((number) => known[number - 1] ?? []),
  }
}

function merge(one: DrawnFact, other: DrawnFact): DrawnFact {
  const times = new Set([...one.sourceTimestamps, ...other.sourceTimestamps])
  return {
    ...one,
    confidence: Math.max(one.confidence, other.confidence),
    timestamp: Math.max(one.timestamp, other.timestamp),
    sourceTimestamps: [...times].toSorted((a, b) => a - b),
    replaces: [...new Set([...one.replaces, ...other.replaces])],
  }
}

/** The same words are the same fact of a session, however they are written. */
export function factId({ projectId, senderId, sessionId }: EngineSession, text: string): string {
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s.。!！]+$/u, '')
  return createHash('sha256')
    .update(JSON.stringify([projectId, senderId, sessionId, 'fact', words]))
    .digest('hex')
    .slice(0, 32)
}

/** Of a year, a month, a day or a time in UTC; undefined if it is none that somebody could have spoken of. */
function momentOf(given: string | null, saidAt: number): number | undefined {
  const [, date = '', time] = /^(\d{4}(?:-\d\d(?:-\d\d)?)?)(?:[T ](\d\d:\d\d)\S*)?$/.exec(given?.trim() ?? '') ?? []
  const at = date.length < 10 ? Date.parse(date) : Date.parse(time ? `${date}T${time}Z` : date)
  // A day that the month does not have would be one of the next.
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(date)) return undefined
  if (at < Date.UTC(EARLIEST_YEAR) || at > saidAt + FARTHEST_AHEAD_MS) return undefined
  return at
}
