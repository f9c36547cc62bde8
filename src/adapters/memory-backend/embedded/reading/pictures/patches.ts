import type { Colour } from './colours.ts'
import type { Raster } from './raster.ts'

/** Connected pixels, and the colour of most of them. */
export interface Patch {
  readonly colour: Colour
  /** Indices into the raster. */
  readonly pixels: readonly number[]
}

/** Groups of connected pixels, each grown from its first pixel over those that `joins` it. */
function groups({ width, colours }: Raster, pixels: Iterable<number>, joins: (at: number, from: number) => boolean) {
  const seen = new Uint8Array(colours.length)
  const found: number[][] = []
  for (const start of pixels) {
    if (seen[start]) continue
    const group = [start]
    seen[start] = 1
    for (let next = 0; next < group.length; next++) {
      const at = group[next] ?? 0
      const x = at % width
      for (const near of [x > 0 ? at - 1 : -1, x < width - 1 ? at + 1 : -1, at - width, at + width]) {
        if (near < 0 || near >= colours.length || seen[near] || !joins(near, at)) continue
        seen[near] = 1
        group.push(near)
      }
    }
    found.push(group)
  }
  return found
}

function mostOf(pixels: readonly number[], { colours }: Raster): Colour {
  const counts = new Map<Colour, number>()
  for (const at of pixels) {
    const colour = colours[at] ?? 'white'
    counts.set(colour, (counts.get(colour) ?? 0) + 1)
  }
  return [...counts].reduce((most, each) => (each[1] > most[1] ? each : most))[0]
}

/** True if the pixel lies within its colour: not so on the thin rims that lossy compression draws round a shape. */
function isInside(at: number, { width, colours }: Raster): boolean {
  const around = [
    at - width - 1,
    at - width,
    at - width + 1,
    at - 1,
    at + 1,
    at + width - 1,
    at + width,
    at + width + 1,
  ]
  return around.every((near) => colours[near] === colours[at])
}

/** What lies on the ground: whole where it is of one colour but for its rim, otherwise colour by colour. */
export function findPatches(raster: Raster, ground: Colour): Patch[] {
  const { colours } = raster
  const onGround = [...colours.keys()].filter((at) => colours[at] !== ground)
  return groups(raster, onGround, (at) => colours[at] !== ground).flatMap((pixels): Patch[] => {
    const colour = mostOf(pixels, raster)
    if (!pixels.some((at) => colours[at] !== colour && isInside(at, raster))) return [{ colour, pixels }]
    return groups(raster, pixels, (at, from) => colours[at] === colours[from]).map((same) => ({
      colour: mostOf(same, raster),
      pixels: same,
    }))
  })
}
