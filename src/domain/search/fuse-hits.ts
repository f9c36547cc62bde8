interface Scored {
  readonly score: number
  readonly explanation?: Readonly<Record<string, number>>
}

/** Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): what stands at place `n` of its list gets 1 / (60 + n). */
const DAMPING = 60

/**
 * One order of two lists, each best first, whose scores cannot be compared; at equal places the first list goes before. The scores are those of the
 * fusion, as soon as there is something in both; an explanation says so under `fused`, beside what each was ranked by in its own list.
 */
export function fuse<T extends { readonly hit: Scored }>(first: readonly T[], second: readonly T[]): T[] {
  if (second.length === 0) return [...first]
  if (first.length === 0) return [...second]
  return [...first.map(fused), ...second.map(fused)].toSorted((one, other) => other.hit.score - one.hit.score)
}

function fused<T extends { readonly hit: Scored }>(result: T, index: number): T {
  const { hit } = result
  const score = 1 / (DAMPING + index + 1)
  const explanation = hit.explanation && { ...hit.explanation, fused: score }
  return { ...result, hit: { ...hit, score, ...(explanation && { explanation }) } }
}
