import { estimateTokens } from '../../../../text/estimate-tokens.ts'
import { cutText } from '../text/clean-text.ts'

/** A memory of a message, as it is stored; `passage` counts within the message. */
export interface SaidPassage {
  readonly timestamp: number
  readonly speaker: string
  readonly role: 'user' | 'assistant' | 'tool'
  readonly body: string
}

export interface ShownMessage {
  /** Unix ms; names the message within its session. */
  readonly timestamp: number
  readonly speaker: string
  readonly role: 'user' | 'assistant' | 'tool'
  readonly text: string
}

/** A stretch of a session that the model reads at once. */
export interface Window {
  /** Read before; they help to understand what follows. */
  readonly earlier: readonly ShownMessage[]
  readonly messages: readonly ShownMessage[]
  /** Unix ms: the last message of the stretch, shown or not. */
  readonly through: number
}

/** Of the messages of one call. */
const WINDOW_TOKENS = 3_000
const MOST_MESSAGES = 60
/** Of one message: a document is searched by its own text, its beginning says what it is. */
const MESSAGE_TOKENS = 1_000
const EARLIER_TOKENS = 100
/** That many passages of a message say more than is shown of it. */
export const MOST_PASSAGES = 5
/** Whole messages are read at least up to the end of a window. */
export const MOST_ROWS = MOST_MESSAGES * MOST_PASSAGES

/**
 * The first stretch of what was said, whose passages come in order. `isAll`: nothing follows them; otherwise the last message may lack passages, and waits
 * for the next stretch. Undefined where nothing was said.
 */
export function firstWindow(
  passages: readonly SaidPassage[],
  earlier: readonly SaidPassage[],
  isAll: boolean,
): Window | undefined {
  const all = messagesOf(passages, MESSAGE_TOKENS)
  const whole = isAll || all.length < 2 ? all : all.slice(0, -1)
  const taken: ShownMessage[] = []
  let tokens = 0
  for (const message of whole) {
    if (isShown(message)) tokens += estimateTokens(message.text)
    if (taken.length > 0 && (tokens > WINDOW_TOKENS || taken.length === MOST_MESSAGES)) break
    taken.push(message)
  }
  const last = taken.at(-1)
  if (!last) return undefined
  return {
    earlier: messagesOf(earlier, EARLIER_TOKENS).filter(isShown),
    messages: taken.filter(isShown),
    through: last.timestamp,
  }
}

/** What programs answer is no one's word. */
function isShown({ role, text }: ShownMessage): boolean {
  return role !== 'tool' && text !== ''
}

function messagesOf(passages: readonly SaidPassage[], most: number): ShownMessage[] {
  const byTime = Map.groupBy(passages, ({ timestamp }) => timestamp)
  return Array.from(byTime, ([timestamp, own]) => {
    const text = own.map(({ body }) => body).join('\n\n')
    const { speaker = '', role = 'user' } = own[0] ?? {}
    return { timestamp, speaker, role, text: cutTokens(text.trim(), most) }
  })
}

function cutTokens(text: string, most: number): string {
  const tokens = estimateTokens(text)
  if (tokens <= most) return text
  return `${cutText(text, Math.floor((text.length * most) / tokens))} […]`
}
