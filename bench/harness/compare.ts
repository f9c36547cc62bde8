import type { Comparison, Goal, Sample, Value } from './load.ts'
import { median } from './statistics.ts'

/** What a way's samples of a case say of a value, one for each round. */
export function valuesOf(samples: readonly Sample[], where: { case: string; way: string }, value: Value): number[] {
  return inPlace(samples, where).flatMap((sample) => sample.values[value] ?? [])
}

/** The same beside another way in the same round. Empty for the other way itself, and where it has no such case. */
export function comparisonsOf(
  samples: readonly Sample[],
  where: { case: string; way: string },
  { value, by, to }: Comparison,
): number[] {
  if (where.way === to) return []
  const others = inPlace(samples, { case: where.case, way: to })
  // What is measured once is compared with that, whatever the round.
  return inPlace(samples, where).flatMap((sample) => {
    const other = others.find(({ round }) => round === sample.round) ?? (others.length === 1 ? others[0] : undefined)
    const [mine, its] = [sample.values[value], other?.values[value]]
    if (mine === undefined || its === undefined) return []
    return by === 'x' ? mine / its : mine - its
  })
}

function inPlace(samples: readonly Sample[], where: { case: string; way: string }): Sample[] {
  return samples.filter((sample) => sample.case === where.case && sample.way === where.way)
}

export interface Judged extends Goal {
  /** The median; undefined if it was not measured. */
  readonly measured: number | undefined
  readonly isMet: boolean | undefined
}

export function judge(samples: readonly Sample[], goal: Goal): Judged {
  const found = typeof goal.of === 'string' ? valuesOf(samples, goal, goal.of) : comparisonsOf(samples, goal, goal.of)
  if (found.length === 0) return { ...goal, measured: undefined, isMet: undefined }
  const measured = median(found)
  const isMet =
    measured >= (goal.atLeast ?? Number.NEGATIVE_INFINITY) && measured <= (goal.atMost ?? Number.POSITIVE_INFINITY)
  return { ...goal, measured, isMet }
}

export function nameOf(of: Value | Comparison, names: Readonly<Record<Value, string>>): string {
  if (typeof of === 'string') return names[of]
  return of.by === 'x' ? `${names[of.value]}, × ${of.to}` : `${names[of.value]}, added to ${of.to}`
}
