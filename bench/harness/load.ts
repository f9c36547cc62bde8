import type { DatabaseKind } from './site.ts'

/** What one way did in one case of one round. Values: see `VALUES`. */
export interface Sample {
  readonly case: string
  readonly way: string
  readonly round: number
  readonly values: Readonly<Partial<Record<Value, number>>>
}

export const VALUES = {
  perSecond: 'requests/s',
  mbPerSecond: 'MB/s',
  p50: 'p50 ms',
  p99: 'p99 ms',
  firstP50: 'first byte, p50 ms',
  cpuMs: 'CPU ms each',
  peakMb: 'peak MB',
  readyMs: 'ready after ms',
  leftStreams: 'streams left',
  usedMemory: 'memory used, %',
  p95: 'p95 ms',
} as const
export type Value = keyof typeof VALUES

/** What is compared with another way of the same round and case: `x` divides, `+` subtracts. */
export interface Comparison {
  readonly value: Value
  readonly by: 'x' | '+'
  readonly to: string
}

export interface Goal {
  readonly case: string
  readonly way: string
  /** As it is, or compared. */
  readonly of: Value | Comparison
  readonly atLeast?: number
  readonly atMost?: number
}

export interface Load {
  readonly id: string
  readonly title: string
  /** What is done, to whom it is compared. */
  readonly about: string
  readonly shown: readonly Value[]
  readonly compared: readonly Comparison[]
  readonly goals: readonly Goal[]
  /** What the chart shows: of all ways, one bar for each case. */
  readonly chart: Comparison | undefined
  run(bench: Bench): Promise<Sample[]>
}

/** What a run was asked for, and has. */
export interface Bench {
  readonly rounds: number
  /** Tiny counts: shows that everything works, and measures nothing. */
  readonly isQuick: boolean
  readonly databases: readonly DatabaseKind[]
  /** Another checkout whose gateway is measured in the same rounds. */
  readonly beside: string | undefined
  /** Of Node, for the gateways. */
  readonly nodeFlags: readonly string[]
  progress(line: string): void
  /** Something is left out, and why. */
  skip(what: string, why: string): void
}
