/** Columns of a passage; a wide (East Asian) character takes two, as it says about twice as much. */
export const PASSAGE_WIDTH = 1_200

/** Best place first: between paragraphs, lines, sentences, clauses, words. */
const BOUNDARIES = [/\n\s*\n/g, /\n/g, /[。!?！？…]+["'”’」』)）]*|\.["'”’)]*\s/g, /[;；,，、:：]\s?/g, /\s/g]

function isWide(code: number): boolean {
  return code >= 0x1100 && (code <= 0x11ff || (code >= 0x2e80 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xffe6))
}

/** How many UTF-16 units of `text` from `start` on fit into `width` columns. */
function fitting(text: string, start: number, width: number): number {
  let used = 0
  let end = start
  while (end < text.length) {
    const code = text.codePointAt(end) ?? 0
    used += code > 0xffff || isWide(code) ? 2 : 1
    if (used > width) break
    end += code > 0xffff ? 2 : 1
  }
  return end - start
}

function lastBoundary(text: string): number {
  for (const boundary of BOUNDARIES) {
    let at = 0
    for (const match of text.matchAll(boundary)) at = match.index + match[0].length
    if (at > text.length / 3) return at
  }
  return text.length
}

/** Columns that a text takes. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text) width += character.length > 1 || isWide(character.charCodeAt(0)) ? 2 : 1
  return width
}

export function fitsOnePassage(text: string): boolean {
  return fitting(text, 0, PASSAGE_WIDTH) === text.length
}

/** Cuts a text into passages of at most `PASSAGE_WIDTH` columns at the best boundary in the last two thirds of each. */
export function splitPassages(text: string): string[] {
  const passages: string[] = []
  let start = 0
  while (start < text.length) {
    const length = fitting(text, start, PASSAGE_WIDTH)
    const last = start + length >= text.length
    const end = last ? text.length : start + lastBoundary(text.slice(start, start + length))
    const passage = text.slice(start, end).trim()
    if (passage !== '') passages.push(passage)
    start = end
  }
  return passages
}
