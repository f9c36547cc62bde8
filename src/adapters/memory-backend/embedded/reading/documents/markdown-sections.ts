import type { FileSection } from '../file-reading.ts'
import { type HeadingLine, headingSections } from './heading-sections.ts'

const HEADING = /^ {0,3}(#{1,6})[ \t]+(\S.*)$/
/** Looking for closing signs takes time by the square of the blanks. */
const LONGEST = 300
const FENCE = /^ {0,3}(?:```|~~~)/

/** Markdown by its headings (those with `#`), which keep their signs in the text. */
export function markdownSections(text: string): FileSection[] {
  let fenced = false
  return headingSections(text.split(/\r\n?|\n/), (line): HeadingLine | undefined => {
    if (FENCE.test(line)) fenced = !fenced
    const [, signs, said] = fenced ? [] : (HEADING.exec(line) ?? [])
    if (!signs || !said) return undefined
    return { level: signs.length, heading: said.slice(0, LONGEST).replace(/[ \t]+#+[ \t]*$/, ''), line }
  })
}
