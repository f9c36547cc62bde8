/** Names of colours in English and Chinese. */
export const COLOURS = {
  red: '红色',
  orange: '橙色',
  yellow: '黄色',
  green: '绿色',
  cyan: '青色',
  blue: '蓝色',
  purple: '紫色',
  pink: '粉色',
  brown: '棕色',
  black: '黑色',
  grey: '灰色',
  white: '白色',
} as const

export type Colour = keyof typeof COLOURS

/** Upper ends of the hues, in degrees. */
const HUES: readonly (readonly [number, Colour])[] = [
  [14, 'red'],
  [42, 'orange'],
  [68, 'yellow'],
  [165, 'green'],
  [195, 'cyan'],
  [255, 'blue'],
  [310, 'purple'],
  [340, 'pink'],
  [361, 'red'],
]

function hueOf(red: number, green: number, blue: number, most: number, range: number): number {
  const sector =
    most === red ? (green - blue) / range : most === green ? 2 + (blue - red) / range : 4 + (red - green) / range
  return (sector * 60 + 360) % 360
}

/** The name that most people would give a colour; channels 0..255. */
export function nameColour(red: number, green: number, blue: number): Colour {
  const most = Math.max(red, green, blue)
  const range = most - Math.min(red, green, blue)
  if (most < 45) return 'black'
  if (range < 28 || range / most < 0.12) return most > 225 ? 'white' : most < 70 ? 'black' : 'grey'
  const hue = hueOf(red, green, blue, most, range)
  const name = HUES.find(([end]) => hue < end)?.[1] ?? 'red'
  if (name === 'orange' && most < 165) return 'brown'
  if (name === 'red' && most > 200 && range / most < 0.45) return 'pink'
  return name
}
