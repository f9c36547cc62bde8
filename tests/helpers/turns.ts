import type { ChatTurn, ToolCall } from '../../src/domain/threads/chat-turn.ts'
import type { StoredTurn } from '../../src/domain/threads/stored-turns.ts'
import { comparable } from '../../src/domain/threads/turn-text.ts'

export function user(text: string): ChatTurn {
  return { role: 'user', parts: [{ type: 'text', text }] }
}

export function answer(text: string): ChatTurn {
  return { role: 'assistant', parts: [{ type: 'text', text }] }
}

export function calls(...ids: string[]): ChatTurn {
  const toolCalls = ids.map((id): ToolCall => ({ id, name: 'look', arguments: `{"at":"${id}"}` }))
  return { role: 'assistant', parts: [], toolCalls }
}

export function result(id: string, text = `result of ${id}`): ChatTurn {
  return { role: 'tool', parts: [{ type: 'text', text }], toolCallId: id }
}

/** As if they had been stored, one millisecond after the other. */
export function stored(turns: readonly ChatTurn[]): StoredTurn[] {
  return turns.map((turn, index) => ({
    ...comparable(turn),
    id: `msg_${index}`,
    timestamp: index + 1,
    upstreamTimestamp: index + 1,
    tokens: 1,
    model: undefined,
    files: [],
  }))
}
