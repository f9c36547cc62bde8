import { textWidth } from '../../text/passages.ts'
import type { FileSection } from '../file-reading.ts'

/** Columns: what is smaller goes together with what follows it, up to what fits one passage. */
const SMALL = 400
const MOST = 1_000
const MOST_LEVELS = 6

/** A line of a text that is a heading. */
export interface HeadingLine {
  /** From 1. */
  readonly level: number
  readonly heading: string
  /** How the text shows it, where not as `heading`. */
  readonly line?: string
}

interface Open {
  text: string
  width: number
  heading: string | undefined
}

/** Of two headings that come to stand over one section: the deeper one, where it lies under the other. */
function joined(first: string | undefined, second: string | undefined): string | undefined {
  if (first === undefined) return second
  return second?.startsWith(`${first} › `) ? second : first
}

function mergeSmall(sections: readonly Open[]): FileSection[] {
  const merged: Open[] = []
  for (const section of sections) {
    const last = merged.at(-1)
    const room = last !== undefined && last.width + section.width <= MOST
    if (room && (last.width < SMALL || section.width < SMALL)) {
      last.text += `\n\n${section.text}`
      last.width += section.width + 2
      last.heading = joined(last.heading, section.heading)
    } else merged.push({ ...section })
  }
  return merged.map(({ text, heading }) => ({ text, ...(heading !== undefined && { heading }) }))
}

/**
 * A text by its headings, each section under the headings that it stands below ("Handbook › Travel"); a short text, or one without headings, whole. `read`
 * is given the lines in order and tells of each whether it is one.
 */
export function headingSections(
  lines: readonly string[],
  read: (line: string) => HeadingLine | undefined,
): FileSection[] {
  const trail: string[] = []
  const sections: { lines: string[]; heading: string | undefined }[] = [{ lines: [], heading: undefined }]
  for (const line of lines) {
    const found = read(line)
    if (found) {
      trail.length = Math.min(trail.length, found.level - 1, MOST_LEVELS)
      trail.push(found.heading)
      sections.push({ lines: [found.line ?? found.heading], heading: trail.join(' › ') })
    } else sections.at(-1)?.lines.push(line)
  }
  const open = sections.flatMap((section): Open[] => {
    const text = section.lines.join('\n').trim()
    return text === '' ? [] : [{ text, width: textWidth(text), heading: section.heading }]
  })
  const width = open.reduce((sum, each) => sum + each.width + 2, 0)
  if (width <= MOST) return [{ text: open.map(({ text }) => text).join('\n\n') }]
  return mergeSmall(open)
}
