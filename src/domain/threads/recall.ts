import type { ChatTurn } from './chat-turn.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

/** What memory adds to a chat. */
export interface Recalled {
  /** For a message of its own beside the client's instructions; undefined if there is nothing to say. */
  readonly block: string | undefined
  /** Turns of the thread before those that were sent. */
  readonly history: readonly ChatTurn[]
  /** Index of the first sent turn that is not stored yet; their number, if all are. */
  readonly newFrom: number
  /** Of the memories in the block. */
  readonly memoryIds: readonly string[]
  /** Of block and history: an estimate. */
  readonly tokens: number
}

export interface RecallOptions {
  /** `provider/model` */
  readonly model: string
  /** False if the provider keeps the conversation itself. */
  readonly withHistory: boolean
  /** After it, recall ends with what it has. */
  readonly signal: AbortSignal
}

export async function recall(
  _ctx: ThreadContext,
  _thread: ThreadRow,
  sent: readonly ChatTurn[],
  _options: RecallOptions,
): Promise<Recalled> {
  return { block: undefined, history: [], newFrom: newTurnsWithoutMemory(sent), memoryIds: [], tokens: 0 }
}

/** As `newFrom`, where nothing is known of the thread: what follows the client's last answer. */
export function newTurnsWithoutMemory(sent: readonly ChatTurn[]): number {
  return sent.findLastIndex(({ role }) => role === 'assistant') + 1
}
