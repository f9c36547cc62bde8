import type { Block } from 'tesseract.js'

/** Of a line, in percent: below it, more is guessed than read. Pictures without text come out below 35, small print above 45. */
const LEAST_CONFIDENCE = 40

const WIDE = String.raw`[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff00-\uffef]`
/** Between wide characters there are no spaces; Tesseract puts them there. */
const SPACE_BETWEEN_WIDE = new RegExp(
  `(?<=${WIDE}) +(?=${WIDE}|[:;,.!?)] *${WIDE})|(?<=${WIDE} ?[:;,.!?(]) +(?=${WIDE})`,
  'gu',
)

/** The lines that were read with some certainty, a paragraph apart from the next. */
export function tidyRecognised(blocks: readonly Block[]): string {
  const paragraphs = blocks.flatMap(({ paragraphs: each }) => each)
  return paragraphs
    .map(({ lines }) =>
      lines
        .filter(({ confidence, text }) => confidence >= LEAST_CONFIDENCE && /[\p{L}\p{N}]/u.test(text))
        .map(({ text }) => text.trim().replace(SPACE_BETWEEN_WIDE, ''))
        .join('\n'),
    )
    .filter((text) => text !== '')
    .join('\n\n')
}
