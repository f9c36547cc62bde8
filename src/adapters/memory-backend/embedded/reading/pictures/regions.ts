/** The nine regions of a picture, row by row, in English and Chinese. */
export const REGIONS = [
  ['top left', '左上'],
  ['top', '顶部'],
  ['top right', '右上'],
  ['left', '左侧'],
  ['centre', '中央'],
  ['right', '右侧'],
  ['bottom left', '左下'],
  ['bottom', '底部'],
  ['bottom right', '右下'],
] as const

/** Index into `REGIONS` of a point. */
export function regionAt(x: number, y: number, width: number, height: number): number {
  const third = (value: number, size: number) => Math.min(2, Math.floor((value * 3) / size))
  return third(y, height) * 3 + third(x, width)
}
