import type { Colour } from './colours.ts'
import { nameColour } from './colours.ts'

/** A small picture, each pixel a named colour. */
export interface Raster {
  readonly width: number
  readonly height: number
  /** Row by row. */
  readonly colours: readonly Colour[]
}

/** From RGB bytes, three a pixel. */
export function toRaster(rgb: Uint8Array, width: number, height: number): Raster {
  const colours: Colour[] = []
  for (let at = 0; at + 2 < rgb.length; at += 3) {
    colours.push(nameColour(rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0))
  }
  return { width, height, colours }
}

/** Colours and the share of the pixels that have them, most first. */
export function colourShares(colours: readonly Colour[]): { colour: Colour; share: number }[] {
  const counts = new Map<Colour, number>()
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  return Array.from(counts, ([colour, count]) => ({ colour, share: count / colours.length })).sort(
    (a, b) => b.share - a.share || (a.colour < b.colour ? -1 : 1),
  )
}

const FRAME_SHARE = 0.6

/** The colour of most of the outermost pixels, if one clearly is: what the rest lies on. */
export function backgroundOf({ width, height, colours }: Raster): Colour | undefined {
  const frame = colours.filter((_, at) => {
    const x = at % width
    const y = Math.floor(at / width)
    return x === 0 || y === 0 || x === width - 1 || y === height - 1
  })
  const [most] = colourShares(frame)
  return most && most.share >= FRAME_SHARE ? most.colour : undefined
}
