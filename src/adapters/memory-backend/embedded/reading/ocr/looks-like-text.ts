/** Grey levels between neighbours: what is less is an even area, what is more the edge of a stroke. */
const EVEN = 16
const EDGE = 48
const LEAST_EVEN = 0.5
/** Edges of strokes are sharp; a photo has more soft changes than sharp ones. */
const LEAST_SHARP = 0.25
/** A line of text crosses many strokes, several rows of it as many. */
const EDGES_IN_ROW = 8
const LEAST_ROWS = 5

/** Whether a grey picture is even areas with lines of fine strokes on them, as print and screens are. Row by row, a byte a pixel. */
export function looksLikeText(grey: Uint8Array, width: number): boolean {
  let even = 0
  let sharp = 0
  let rows = 0
  let edges = 0
  for (let at = 1; at < grey.length; at++) {
    if (at % width === 0) {
      if (edges >= EDGES_IN_ROW) rows++
      edges = 0
      continue
    }
    const change = Math.abs((grey[at] ?? 0) - (grey[at - 1] ?? 0))
    if (change < EVEN) even++
    else if (change >= EDGE) {
      sharp++
      edges++
    }
  }
  const total = grey.length || 1
  const changing = total - even || 1
  return even / total >= LEAST_EVEN && sharp / changing >= LEAST_SHARP && rows >= LEAST_ROWS
}
