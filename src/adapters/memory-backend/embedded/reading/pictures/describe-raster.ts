import { COLOURS, type Colour } from './colours.ts'
import { backgroundOf, colourShares, type Raster } from './raster.ts'
import { REGIONS, regionAt } from './regions.ts'
import { findShapes, SHAPES, type Shape } from './shapes.ts'

/** What is seen, in both languages. */
export interface Seen {
  readonly english: string
  readonly chinese: string
}

/** Shares below say little of a picture, or of a region. */
const NOTABLE = 0.08
const NOTABLE_IN_REGION = 0.25

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

function article(word: string): string {
  return /^[aeiou]/.test(word) ? 'an' : 'a'
}

/** Line by line, as one reads. */
function describeShapes(shapes: readonly Shape[], ground: Colour, { width, height }: Raster): Seen {
  const places = shapes
    .map((shape) => ({ ...shape, region: regionAt(shape.x, shape.y, width, height) }))
    .sort((a, b) => a.region - b.region || a.x - b.x)
    .map(({ colour, name, region }) => {
      const [english, chinese] = REGIONS[region] ?? REGIONS[4]
      return {
        english: `${article(colour)} ${colour} ${name} at the ${english}`,
        chinese: `${chinese}${COLOURS[colour]}${SHAPES[name]}`,
      }
    })
  return {
    english: `Shapes and colours: ${list(places.map(({ english }) => english))}, on ${article(ground)} ${ground} background.`,
    chinese: `几何图形和颜色:${places.map(({ chinese }) => chinese).join('、')},${COLOURS[ground]}背景。`,
  }
}

/** The strongest colour of each region that is not the ground, regions of one colour together. */
function describeRegions({ width, height, colours }: Raster, ground: Colour | undefined): Seen | undefined {
  const regions: Colour[][] = REGIONS.map(() => [])
  for (const [at, colour] of colours.entries())
    regions[regionAt(at % width, Math.floor(at / width), width, height)]?.push(colour)
  const places = new Map<Colour, (typeof REGIONS)[number][]>()
  for (const [index, region] of REGIONS.entries()) {
    const most = colourShares(regions[index] ?? []).find(({ colour }) => colour !== ground)
    if (most && most.share >= NOTABLE_IN_REGION) places.set(most.colour, [...(places.get(most.colour) ?? []), region])
  }
  if (places.size === 0) return undefined
  const entries = [...places]
  return {
    english: `Colours by region: ${entries.map(([colour, at]) => `${colour} at the ${list(at.map(([english]) => english))}`).join('; ')}.`,
    chinese: `各区域颜色:${entries.map(([colour, at]) => `${at.map(([, chinese]) => chinese).join('、')}为${COLOURS[colour]}`).join(';')}。`,
  }
}

function describeColours(raster: Raster, ground: Colour | undefined): Seen {
  const notable = colourShares(raster.colours).filter(({ colour, share }) => share >= NOTABLE && colour !== ground)
  const all = raster.colours.every((colour) => colour === ground)
  const onGround = ground === undefined ? '' : ` on ${article(ground)} ${ground} background`
  const names = notable.map(({ colour, share }) => `${colour} (${Math.round(share * 100)}%)`)
  return {
    english:
      names.length === 0
        ? `It is ${all ? 'all' : 'mostly'} ${ground ?? 'mixed'}.`
        : `Main colours: ${list(names)}${onGround}.`,
    chinese: `主要颜色:${[...notable.map(({ colour }) => COLOURS[colour]), ...(ground === undefined ? [] : [`${COLOURS[ground]}背景`])].join('、')}。`,
  }
}

/** Says of a picture only what its pixels show beyond doubt. */
export function describeRaster(raster: Raster): Seen {
  const ground = backgroundOf(raster)
  const shapes = ground === undefined ? [] : findShapes(raster, ground)
  if (ground !== undefined && shapes.length > 0) return describeShapes(shapes, ground, raster)
  const colours = describeColours(raster, ground)
  const regions = describeRegions(raster, ground)
  return regions
    ? { english: `${colours.english} ${regions.english}`, chinese: `${colours.chinese}${regions.chinese}` }
    : colours
}
