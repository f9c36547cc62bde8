/** A run of text as pdf.js gives it: in points, `transform[5]` is the height of its line on the page. */
export interface PdfTextItem {
  readonly str: string
  readonly hasEOL: boolean
  readonly width: number
  readonly height: number
  readonly transform: readonly number[]
}

/** Times the height of the letters: a blank as wide as that lies between columns of a table, a step as high between paragraphs. */
const COLUMN_GAP = 2
const PARAGRAPH_STEP = 1.7
/** Share of the longest line on the page that a line has to have to go on in the next one. */
const FULL_LINE = 0.7

const LIGATURES: Readonly<Record<string, string>> = {
  ﬀ: 'ff',
  ﬁ: 'fi',
  ﬂ: 'fl',
  ﬃ: 'ffi',
  ﬄ: 'ffl',
  ﬅ: 'st',
  ﬆ: 'st',
}
const WIDE_END = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana},、]$/u
const WIDE_START = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana},。、]/u

interface Line {
  text: string
  /** True if a new paragraph begins with it. */
  readonly starts: boolean
}

function* linesOf(items: Iterable<PdfTextItem>): Generator<Line> {
  let text = ''
  let height = 0
  let y: number | undefined
  let lastY: number | undefined
  for (const item of items) {
    const letters = item.str.trim() !== ''
    if (letters) {
      y ??= item.transform[5]
      height = Math.max(height, item.height)
    }
    const gap = !letters && item.width > COLUMN_GAP * height && height > 0 && text !== ''
    text += gap ? ' | ' : item.str
    if (!item.hasEOL) continue
    const starts = y !== undefined && lastY !== undefined && Math.abs(lastY - y) > PARAGRAPH_STEP * height
    yield { text: text.replace(/(?: \| ?)+$/, '').trimEnd(), starts }
    lastY = y ?? lastY
    text = ''
    height = 0
    y = undefined
  }
  if (text !== '') yield { text, starts: false }
}

/** Whether the two are one word, or one sentence of a script without spaces, that a line's end has cut. */
function goesOn(line: string, next: string, longest: number): 'word' | 'sentence' | undefined {
  if (/\p{Ll}[-\u2010]$/u.test(line) && /^\p{Ll}/u.test(next)) return 'word'
  return WIDE_END.test(line) && WIDE_START.test(next) && line.length >= longest * FULL_LINE ? 'sentence' : undefined
}

/** The text of a page in the order of the file: words cut by lines made whole, paragraphs and columns apart. */
export function pdfPageText(items: Iterable<PdfTextItem>): string {
  const lines = [...linesOf(items)]
  const longest = lines.reduce((most, { text }) => Math.max(most, text.length), 0)
  let page = ''
  let last = ''
  for (const { text, starts } of lines) {
    const kind = starts ? undefined : goesOn(last, text, longest)
    if (kind === 'word') page = page.slice(0, -1)
    else if (kind === undefined && page !== '') page += starts ? '\n\n' : '\n'
    page += text
    last = text
  }
  return page.replace(/\u00ad\n?/g, '').replace(/[ﬀ-ﬆ]/g, (ligature) => LIGATURES[ligature] ?? ligature)
}
