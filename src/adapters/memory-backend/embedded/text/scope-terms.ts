import { createHash } from 'node:crypto'
import { anyTermQuery, bothQueries, partitionTerm } from './text-vector.ts'

/** One memory in so many has a term of its own: how many of those hold a word says how many of all do, in a fraction of the time. */
export const SAMPLED = 256
const WEEK_MS = 7 * 86_400_000
/** More sessions or weeks take longer to look up than they save. */
const MOST_TERMS = 30
/** A memory of later than so many weeks from when it is stored is found by that, wherever a search reaches beyond its own day. */
const WEEKS_AHEAD = 4

interface Partition {
  readonly projectId: string
  readonly senderId: string
}

/** What a search covers. Unix ms, inclusive. */
export interface Scope extends Partition {
  readonly from: number
  readonly to: number
  readonly sessionIds: readonly string[] | undefined
}

const weekOf = (timestamp: number): number => Math.floor(timestamp / WEEK_MS)
const weekTerm = (partition: string, week: number | 'ahead'): string => `${partition}@${week}`

function sessionTerm(partition: string, sessionId: string): string {
  return `${partition}$${createHash('sha256').update(sessionId).digest('hex').slice(0, 12)}`
}

/**
 * Terms of a memory that say what it belongs to; no text has such terms. Words are looked up together with them: an index of all memories finds every holder of a word,
 * before a condition on columns could leave any out.
 */
export function scopeTerms(
  session: Partition & { readonly sessionId: string },
  { id, timestamp }: { readonly id: string; readonly timestamp: number },
  now: number,
): string[] {
  const partition = partitionTerm(session)
  const week = weekOf(timestamp)
  const terms = [partition, sessionTerm(partition, session.sessionId), weekTerm(partition, week)]
  if (week > weekOf(now) + WEEKS_AHEAD) terms.push(weekTerm(partition, 'ahead'))
  // The id is a hash: no word is in the sample more often than elsewhere.
  return id.startsWith('00') ? [...terms, sampleTerm(session)] : terms
}

function sampleTerm(partition: Partition): string {
  return `${partitionTerm(partition)}#`
}

/** `tsquery`s as text. */
export interface ScopeQueries {
  /** Matches every memory that a search covers, and few others. */
  readonly all: string
  /** Those of them that stand for all. */
  readonly sample: string
  /** `all` is the whole partition. */
  readonly isWhole: boolean
}

export function wholePartition(partition: Partition): ScopeQueries {
  return { all: anyTermQuery([partitionTerm(partition)]), sample: anyTermQuery([sampleTerm(partition)]), isWhole: true }
}

export function scopeQueries(scope: Scope, now: number): ScopeQueries {
  const whole = wholePartition(scope)
  const terms = scope.sessionIds ? sessionTerms(scope, scope.sessionIds) : weekTerms(scope, now)
  if (!terms) return whole
  const all = anyTermQuery(terms)
  return { all, sample: bothQueries(whole.sample, all), isWhole: false }
}

/** Undefined: too many to be of use; so below. */
function sessionTerms(scope: Scope, sessionIds: readonly string[]): string[] | undefined {
  if (sessionIds.length > MOST_TERMS) return undefined
  return sessionIds.map((sessionId) => sessionTerm(partitionTerm(scope), sessionId))
}

function weekTerms(scope: Scope, now: number): string[] | undefined {
  const partition = partitionTerm(scope)
  const latest = weekOf(now) + WEEKS_AHEAD
  const [first, last] = [weekOf(scope.from), Math.min(weekOf(scope.to), latest)]
  if (last - first >= MOST_TERMS) return undefined
  const weeks = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => weekTerm(partition, first + index))
  return weeks.length > 0 && weekOf(scope.to) <= latest ? weeks : [...weeks, weekTerm(partition, 'ahead')]
}
