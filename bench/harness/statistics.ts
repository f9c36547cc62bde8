export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Of an even number of values the larger one in the middle. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Three figures that count: 0.0421, 4.21, 421, 42100. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return ''
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

/** The median, and the range in brackets. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return ''
  const middle = figure(median(values))
  const [least, most] = [figure(Math.min(...values)), figure(Math.max(...values))]
  return least === most ? middle : `${middle} (${least}–${most})`
}
