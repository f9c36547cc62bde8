import type { AnswerTap } from '../chat-format.ts'

/** An event as bytes. What `tap` has let pass may end within an event: that one is closed first. */
export function errorEvent(name: string | undefined, data: unknown, tap: AnswerTap | undefined): Buffer {
  const before = tap?.isMidEvent ? '\n\n' : ''
  return Buffer.from(`${before}${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`)
}
