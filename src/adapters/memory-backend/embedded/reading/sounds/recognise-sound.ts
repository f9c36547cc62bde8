import type { Samples } from './wav-samples.ts'

/** `hertz`: of the single steady tone that all of it is. */
export type RecognisedSound = { readonly kind: 'silence' } | { readonly kind: 'tone'; readonly hertz: number }

/** Peak below which nothing is heard: -60 dB. */
const SILENT_PEAK = 0.001
const WINDOW_SECONDS = 0.05
/** Windows below this share of the loudest are pauses and fades. */
const QUIET = 0.1
const SAME_PITCH = 0.03
/** Share of the energy that the pure tone may leave unexplained. */
const MOST_RESIDUE = 0.05
const ENOUGH_WINDOWS = 0.8

function energy(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value * value, 0)
}

/** Pitch by the time between the first and the last upward crossing of zero; undefined without two of them. */
function pitchOf(values: Float32Array, rate: number): number | undefined {
  let first: number | undefined
  let last = 0
  let crossings = 0
  for (let index = 1; index < values.length; index++) {
    const before = values[index - 1] ?? 0
    const after = values[index] ?? 0
    if (before >= 0 || after < 0) continue
    const at = index - 1 + before / (before - after)
    if (first === undefined) first = at
    else crossings++
    last = at
  }
  return first === undefined || crossings === 0 ? undefined : (crossings * rate) / (last - first)
}

/** Share of the energy that is left when the best sine of this pitch is taken away. */
function residue(values: Float32Array, rate: number, hertz: number): number {
  const sums = { sin: 0, cos: 0, sin2: 0, cos2: 0, both: 0 }
  for (const [index, value] of values.entries()) {
    const angle = (2 * Math.PI * hertz * index) / rate
    const sin = Math.sin(angle)
    const cos = Math.cos(angle)
    sums.sin += value * sin
    sums.cos += value * cos
    sums.sin2 += sin * sin
    sums.cos2 += cos * cos
    sums.both += sin * cos
  }
  const determinant = sums.sin2 * sums.cos2 - sums.both ** 2
  if (determinant <= 0) return 1
  const a = (sums.sin * sums.cos2 - sums.cos * sums.both) / determinant
  const b = (sums.cos * sums.sin2 - sums.sin * sums.both) / determinant
  return 1 - (a * sums.sin + b * sums.cos) / energy(values)
}

function windowsOf({ rate, values }: Samples): Float32Array[] {
  const size = Math.max(64, Math.round(rate * WINDOW_SECONDS))
  const windows: Float32Array[] = []
  for (let at = 0; at + size <= values.length; at += size) windows.push(values.subarray(at, at + size))
  const loudest = Math.max(...windows.map(energy), 0)
  return windows.filter((window) => energy(window) >= loudest * QUIET ** 2)
}

/** Silence or one pure tone, where the samples leave no doubt; undefined for everything else. */
export function recogniseSound(samples: Samples): RecognisedSound | undefined {
  const { rate, values } = samples
  if (values.length === 0) return undefined
  if (values.every((value) => Math.abs(value) < SILENT_PEAK)) return { kind: 'silence' }
  const windows = windowsOf(samples)
  const pitches = windows.flatMap((window) => pitchOf(window, rate) ?? [])
  const hertz = pitches.toSorted((a, b) => a - b)[Math.floor(pitches.length / 2)]
  if (hertz === undefined || windows.length < 2) return undefined
  const pure = windows.filter((window) => {
    const pitch = pitchOf(window, rate)
    return (
      pitch !== undefined &&
      Math.abs(pitch - hertz) <= hertz * SAME_PITCH &&
      residue(window, rate, pitch) <= MOST_RESIDUE
    )
  })
  return pure.length >= windows.length * ENOUGH_WINDOWS ? { kind: 'tone', hertz: Math.round(hertz) } : undefined
}
