import type { Colour } from './colours.ts'
import { findPatches, type Patch } from './patches.ts'
import type { Raster } from './raster.ts'

/** Names of shapes in English and Chinese. */
export const SHAPES = {
  square: '方块(正方形)',
  rectangle: '长方形',
  'horizontal bar': '横条(长方形)',
  'vertical bar': '竖条(长方形)',
  circle: '圆形',
  ellipse: '椭圆形',
} as const

export type ShapeName = keyof typeof SHAPES

export interface Shape {
  readonly name: ShapeName
  readonly colour: Colour
  /** Its middle, in pixels of the raster. */
  readonly x: number
  readonly y: number
}

/** Smaller patches, as a share of the picture, are edges and specks. */
const SMALLEST = 0.004
const MOST_SHAPES = 12
/** A picture with more of them is no drawing of plain shapes. */
const MOST_SPECKS = 0.03
/** Share of the pixels in the box in which a patch and an ideal shape must agree. */
const RECTANGLE_FIT = 0.94
const ELLIPSE_FIT = 0.95
const EQUAL_SIDES = 0.1
const BAR = 3

function boxOf(pixels: readonly number[], width: number) {
  let [left, right, top, bottom] = [Infinity, -1, Infinity, -1]
  for (const at of pixels) {
    const x = at % width
    const y = Math.floor(at / width)
    left = Math.min(left, x)
    right = Math.max(right, x)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y)
  }
  return { left, top, wide: right - left + 1, high: bottom - top + 1 }
}

type Box = ReturnType<typeof boxOf>

/** Share of the box's pixels that are in both the patch and the ellipse that fills the box, or in neither. */
function ellipseFit(pixels: ReadonlySet<number>, { left, top, wide, high }: Box, width: number): number {
  let agreed = 0
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const inside = ((2 * x + 1) / wide - 1) ** 2 + ((2 * y + 1) / high - 1) ** 2 <= 1
      if (inside === pixels.has((top + y) * width + left + x)) agreed++
    }
  }
  return agreed / (wide * high)
}

function nameShape({ pixels }: Patch, box: Box, width: number): ShapeName | undefined {
  const { wide, high } = box
  if (Math.min(wide, high) < 3) return undefined
  const equal = Math.abs(wide - high) <= Math.max(1, Math.max(wide, high) * EQUAL_SIDES)
  if (pixels.length >= wide * high * RECTANGLE_FIT) {
    if (equal) return 'square'
    return wide >= high * BAR ? 'horizontal bar' : high >= wide * BAR ? 'vertical bar' : 'rectangle'
  }
  if (Math.min(wide, high) < 8 || ellipseFit(new Set(pixels), box, width) < ELLIPSE_FIT) return undefined
  return equal ? 'circle' : 'ellipse'
}

/**
 * The shapes of a drawing, if it is certain that it is one: plain patches on a plain ground, every one of them a
 * rectangle or an ellipse, and next to nothing else. Otherwise none.
 */
export function findShapes(raster: Raster, ground: Colour): Shape[] {
  const total = raster.colours.length
  const shapes: Shape[] = []
  let specks = 0
  for (const patch of findPatches(raster, ground)) {
    if (patch.pixels.length < total * SMALLEST) {
      specks += patch.pixels.length
      continue
    }
    const box = boxOf(patch.pixels, raster.width)
    const name = nameShape(patch, box, raster.width)
    if (!name) return []
    shapes.push({ name, colour: patch.colour, x: box.left + box.wide / 2, y: box.top + box.high / 2 })
  }
  return specks > total * MOST_SPECKS || shapes.length > MOST_SHAPES ? [] : shapes
}
