import { type AlsoStore, nothingElse } from '../context.ts'
import { relayInBackground } from '../memories/relay-in-background.ts'
import { parseInput } from '../parse-input.ts'
import { AddThreadMessagesInput } from './schemas.ts'
import { type StoredMessages, storeMessages } from './store-exchange.ts'
import { takeInTurns } from './take-in-turns.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

/**
 * Stores texts in a thread without a model's answer, all or none, after what is there already: what was said elsewhere, for one. Each is stored as it
 * is given, also if the thread has it. `not_found` if the thread is gone.
 */
export async function addThreadMessages(
  ctx: ThreadContext,
  thread: ThreadRow,
  input: AddThreadMessagesInput,
  also: AlsoStore<StoredMessages> = nothingElse,
): Promise<StoredMessages> {
  const given = parseInput(AddThreadMessagesInput, input)
  const turns = given.map(({ role, text }) => ({ role, parts: [{ type: 'text' as const, text }] }))
  await using spool = ctx.services.spool.open()
  const messages = (await takeInTurns(ctx, turns, spool)).map((message, index) => {
    const timestamp = given[index]?.at?.getTime()
    return timestamp === undefined ? message : { ...message, input: { ...message.input, timestamp } }
  })
  const stored = await storeMessages(ctx, thread, messages, { also })
  relayInBackground(ctx, [stored.sessionId])
  return stored
}
