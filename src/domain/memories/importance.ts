import type { FeedbackSignal } from './history-queries.ts'

/** What one signal adds to a memory's importance, before the trend of its signals counts. */
const WEIGHTS = { positive: 0.05, negative: -0.08, retrieved: 0.01, ignored: -0.01 } as const satisfies Record<
  FeedbackSignal,
  number
>

/** Feedback never makes a memory unreachable, nor more than important. */
export const LEAST_IMPORTANCE = 0.05
/** So many signals, the newest, say how things go. */
export const SIGNALS_OF_TREND = 10
/** So many signals are counted again when importance is recalculated. */
export const SIGNALS_RECOUNTED = 100

/** What is left of (1 − importance) after one access. */
const LEFT_PER_ACCESS = 0.98
/** After so many days without an access, a memory has lost half of what it can lose by age. */
const HALF_LIFE_DAYS = 90
/** What age leaves of it. */
const LEFT_BY_AGE = 0.5

export interface FeedbackTrend {
  readonly momentum: 'positive' | 'negative' | 'neutral'
  /** 0..1: 1 if all signals point one way, 0 if they cancel each other out, or there are none. */
  readonly consistency: number
  /** 0.5..1.5: by how much the next signal of this direction counts. */
  readonly multiplier: number
  /** How many signals it is made of. */
  readonly count: number
}

/** Of the newest signals, oldest first: signals that agree amplify each other, mixed ones damp. */
export function trendOf(signals: readonly FeedbackSignal[]): FeedbackTrend {
  const recent = signals.slice(-SIGNALS_OF_TREND)
  const sum = recent.reduce((total, signal) => total + WEIGHTS[signal], 0)
  const most = recent.reduce((total, signal) => total + Math.abs(WEIGHTS[signal]), 0)
  const consistency = most === 0 ? 0 : Math.abs(sum) / most
  // One signal alone agrees with itself: it says nothing of a trend.
  const multiplier = recent.length < 2 ? 1 : 0.5 + consistency
  const momentum = consistency < 1e-9 ? 'neutral' : sum > 0 ? 'positive' : 'negative'
  return { momentum, consistency, multiplier, count: recent.length }
}

/** By how much the last of the signals, oldest first, changes the importance. */
export function adjustmentOf(signals: readonly FeedbackSignal[]): number {
  const last = signals.at(-1)
  return last === undefined ? 0 : WEIGHTS[last] * trendOf(signals).multiplier
}

export function clampImportance(value: number): number {
  return Math.min(1, Math.max(LEAST_IMPORTANCE, value))
}

export interface ImportanceFacts {
  /** What was said, or assessed, at its creation, or said in an update since; 0..1. */
  readonly base: number
  readonly accessCount: number
  /** Days since the last access, or the creation. */
  readonly idleDays: number
  /** Oldest first. */
  readonly signals: readonly FeedbackSignal[]
}

/**
 * `(1 − (1 − base) · 0.98^accesses) · (0.5 + 0.5 · 0.5^(idle days / 90)) + what its feedback adds`, within 0.05 and 1; or from 0, if that
 * is what was said. The same facts give the same result, however often it is computed.
 */
export function importanceOf({ base, accessCount, idleDays, signals }: ImportanceFacts): number {
  const raised = 1 - (1 - base) * LEFT_PER_ACCESS ** accessCount
  const kept = LEFT_BY_AGE + (1 - LEFT_BY_AGE) * 0.5 ** (Math.max(0, idleDays) / HALF_LIFE_DAYS)
  const shift = signals.reduce((sum, _, index) => sum + adjustmentOf(signals.slice(0, index + 1)), 0)
  return Math.min(1, Math.max(Math.min(LEAST_IMPORTANCE, base), raised * kept + shift))
}
