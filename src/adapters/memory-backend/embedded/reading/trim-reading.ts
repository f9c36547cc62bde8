import { cutText, tidyText } from '../text/clean-text.ts'
import type { FileReading, FileSection } from './file-reading.ts'
import { MOST_CHARACTERS } from './limits.ts'

const LONGEST_TITLE = 200
const LONGEST_NOTE = 500

const CUT_NOTE = `only its first ${MOST_CHARACTERS.toLocaleString('en')} characters were kept`

function label(text: string): string {
  return cutText(tidyText(text.slice(0, 10 * LONGEST_TITLE)).replaceAll('\n', ' '), LONGEST_TITLE)
}

/** Tidy, without empty sections, and no longer than is kept of a file: whatever a parser made of one, no more reaches the gateway's process. */
export function trimReading({ sections, title, note }: FileReading): FileReading {
  const kept: FileSection[] = []
  let left = MOST_CHARACTERS
  let cut = false
  for (const { text, heading, sheet, ...place } of sections) {
    const tidy = tidyText(text)
    if (tidy === '') continue
    cut = tidy.length > left
    if (left > 0) {
      kept.push({
        ...place,
        text: cutText(tidy, left),
        ...(heading !== undefined && { heading: label(heading) }),
        ...(sheet !== undefined && { sheet: label(sheet) }),
      })
    }
    left -= tidy.length
    if (cut) break
  }
  const notes = [note, cut ? CUT_NOTE : undefined].filter((each) => each !== undefined).join('; ')
  const named = label(title ?? '')
  return {
    sections: kept,
    ...(named !== '' && { title: named }),
    ...(notes !== '' && { note: cutText(notes, LONGEST_NOTE) }),
  }
}
