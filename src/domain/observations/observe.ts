import { estimateTokens } from '../../text/estimate-tokens.ts'
import type { ServiceContext } from '../context.ts'
import { renderLog } from './log.ts'
import type { ObservedThread } from './message-queries.ts'
import { observeByModel } from './observe-by-model.ts'
import { observeByRules } from './observe-by-rules.ts'
import { picturesOf } from './pictures.ts'
import type { RecordRow } from './queries.ts'
import type { ObservedMessage } from './transcript.ts'

/** Of the notes so far that the Observer is shown, from their end. */
const MOST_KNOWN_TOKENS = 2_000

/** The Observer: lines for the log, made of the messages by the chat model, or by rules where there is none or it fails. `''`: nothing to note. */
export async function observe(
  ctx: ServiceContext,
  thread: ObservedThread,
  record: RecordRow,
  messages: readonly ObservedMessage[],
  before: number | undefined,
): Promise<string> {
  const { chatModel } = ctx.services
  if (chatModel) {
    try {
      const pictures = await picturesOf(ctx, thread, messages)
      const known = endOf([record.observations, ...record.buffered.map(({ observations }) => observations)])
      const { observations, hints } = await observeByModel(ctx, chatModel, { messages, before, known, pictures })
      return renderLog(observations, hints)
    } catch (error) {
      ctx.signal.throwIfAborted()
      ctx.log.warn({ err: error, threadId: thread.id }, 'messages observed by rules: the chat model failed')
    }
  }
  return renderLog(observeByRules(messages))
}

function endOf(logs: readonly string[]): string {
  const shown: string[] = []
  let tokens = 0
  for (const line of logs.join('\n').split('\n').toReversed()) {
    tokens += estimateTokens(line)
    if (tokens > MOST_KNOWN_TOKENS) break
    shown.unshift(line)
  }
  return shown.join('\n').trim()
}
