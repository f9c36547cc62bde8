import { z } from 'zod'
import type { MessageRow } from './message-queries.ts'

/** A message as the Observer reads it. */
export interface ObservedMessage {
  readonly id: string
  readonly role: MessageRow['role']
  readonly text: string
  /** Unix ms. */
  readonly at: number
}

const GAP_MS = 10 * 60_000
const LONGEST_SHOWN = 16_000
const LONGEST_TAIL = 4_000
const LONGEST_ARGUMENTS = 500

const toolCall = z.object({ function: z.object({ name: z.string(), arguments: z.string() }) })

/** Placeholders stand in its text for its files. */
export function observedMessage({ id, role, content, toolCalls, timestamp }: MessageRow): ObservedMessage {
  const texts = content.flatMap((item) => ('text' in item ? [item.text] : []))
  const calls = (toolCalls ?? []).flatMap((call) => {
    const read = toolCall.safeParse(call)
    return read.success ? [`[calls ${read.data.function.name}: ${cut(read.data.function.arguments)}]`] : []
  })
  return { id, role, text: [...texts, ...calls].join('\n'), at: timestamp }
}

/** `2026-05-03` and `14:05`, in UTC. */
export function dateAndTime(at: number): { readonly date: string; readonly time: string } {
  const text = new Date(at).toISOString()
  return { date: text.slice(0, 10), time: text.slice(11, 16) }
}

/** The messages as items for a fence: when, who, what, and how long a pause there was before. `before`: when the last one came. */
export function transcriptItems(messages: readonly ObservedMessage[], before: number | undefined): string[] {
  let last = before
  return messages.map(({ role, text, at }) => {
    const gap = last === undefined ? undefined : gapMarker(at - last)
    last = at
    const { date, time } = dateAndTime(at)
    return `${gap === undefined ? '' : `[${gap}] `}${date} ${time} ${role}: ${shown(text)}`
  })
}

/** From ten minutes on; in the largest unit that fits. */
export function gapMarker(ms: number): string | undefined {
  if (ms < GAP_MS) return undefined
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes} minutes later`
  const [count, unit] = minutes < 24 * 60 ? [Math.floor(minutes / 60), 'hour'] : [Math.floor(minutes / 1_440), 'day']
  return `${count} ${unit}${count === 1 ? '' : 's'} later`
}

/** The text, of a long one without its middle. */
export function shown(text: string): string {
  if (text.length <= LONGEST_SHOWN) return text
  const [head, tail] = [text.slice(0, LONGEST_SHOWN - LONGEST_TAIL), text.slice(-LONGEST_TAIL)]
  return `${head}\n[… ${text.length - LONGEST_SHOWN} characters are left out …]\n${tail}`.toWellFormed()
}

function cut(text: string): string {
  return text.length > LONGEST_ARGUMENTS ? `${text.slice(0, LONGEST_ARGUMENTS)}…`.toWellFormed() : text
}
