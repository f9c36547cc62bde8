import { createHash } from 'node:crypto'

/** What is embedded of a memory, as its row has it. */
export interface EmbeddedMemory {
  readonly kind: 'turn' | 'passage' | 'fact'
  readonly speaker: string
  readonly subject: string
  readonly body: string
}

/** The turn before one, in its session. */
export type TurnBefore = Pick<EmbeddedMemory, 'speaker' | 'body'>

/** Of the turn before: its end, where the question stands that a turn answers. */
const LONGEST_BEFORE = 300

function said({ speaker, body }: TurnBefore): string {
  return speaker === '' ? body : `${speaker}: ${body}`
}

/**
 * The text that stands for a memory before the model. A turn is understood from the one before it, a passage from the title of its file;
 * a fact says all by itself.
 */
export function embeddedText(memory: EmbeddedMemory, before: TurnBefore | undefined): string {
  if (memory.kind === 'fact') return memory.body
  if (memory.kind === 'passage') return `${memory.subject}\n${memory.body}`
  if (!before) return said(memory)
  return `${said({ speaker: before.speaker, body: before.body.slice(-LONGEST_BEFORE).toWellFormed() })}\n${said(memory)}`
}

export function contentHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40)
}
