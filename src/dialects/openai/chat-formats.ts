import type { ChatFormat } from './chat-format.ts'
import { chatCompletions } from './formats/chat-completions.ts'
import { messages } from './formats/messages.ts'
import { responses } from './formats/responses.ts'

export const chatFormats: readonly ChatFormat[] = [chatCompletions, messages, responses]

/** Of a request's path, or of what it is below; undefined if it is no chat. */
export function formatOf(path: string): ChatFormat | undefined {
  return chatFormats.find((format) => path === format.path || path.startsWith(`${format.path}/`))
}
