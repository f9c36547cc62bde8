import { fillPlace, makeEmpty, type Sizes, type Spread } from './load.ts'
import type { PlaceOf } from './place.ts'
import { answering } from './worker.ts'

// A process of the benchmark: makes the tables, and fills them. A process of its own, because the one that has made a PGlite stays large.

export interface FillTask {
  readonly where: PlaceOf
  /** Undefined: nothing is filled in. */
  readonly spread: Spread | undefined
}

answering<FillTask, Sizes | undefined>(async ({ where, spread }) => {
  if (spread) return fillPlace(where, spread)
  await makeEmpty(where)
  return undefined
})
