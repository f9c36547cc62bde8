import { z } from 'zod'
import { inTransaction } from '../../db/database.ts'
import { type ChatReply, ModelError, type ModelProvider } from '../../ports/model-provider.ts'
import { dataNotice, fence } from '../../prompts/fence.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { cleanText } from '../text-schemas.ts'
import { userScope } from './memory-scope.ts'
import { askModel } from './model/ask-model.ts'
import { requireModel } from './model/require-model.ts'
import type { MemoryRow } from './queries.ts'
import { MemoryOriginInput } from './schemas.ts'
import { type FoundMemory, searchMemories } from './search-memories.ts'
import { type StoredMemory, storeMemories } from './store-memories.ts'
import { isQuestion, isTrivial } from './worth-keeping.ts'

const ChatInput = z.strictObject({
  message: cleanText(8_000).refine((value) => value.trim() !== '', 'must not be empty'),
  /** Memories at most. */
  topK: z.int().min(1).max(20),
  conversationId: MemoryOriginInput.shape.conversation_id,
})
export type ChatInput = z.input<typeof ChatInput>

export interface MemoryChat {
  readonly reply: string
  /** The memories that the model was shown, best first. */
  readonly used: readonly FoundMemory[]
  /** The message as a new memory; null if it says nothing at all, the user has it already, or the plan has no room for it. */
  readonly stored: MemoryRow | null
}

/** As similar as this (0..1) to a memory, a message is known. */
const DUPLICATES_FROM = 0.95
/** Of one memory in the prompt. */
const LONGEST_SHOWN = 2_000
const QUESTION = 'chat_question'

/**
 * Answers a message with what is remembered of the user, and remembers the message. All or nothing: if the model fails, nothing is stored,
 * and the request can be repeated. Questions are remembered too, but no later message is answered with them.
 * `unavailable` without a model, or if it is away; `backend_failed` if it refuses; `quota_exceeded` if the plan has no tokens left.
 */
export async function chatWithMemory(
  ctx: UserContext,
  input: ChatInput,
  also: AlsoStore<MemoryChat> = nothingElse,
): Promise<MemoryChat> {
  const { message, topK, conversationId } = parseInput(ChatInput, input)
  const chatModel = requireModel(ctx)
  const scope = userScope(ctx, ctx.caller.userId)
  const search = { query: message, limit: topK, filter: { exceptEventType: QUESTION } }
  const { found: used } = await searchMemories(ctx, scope, search)
  // A model takes its time: meanwhile the user's other requests have the turn.
  ctx.turn[Symbol.dispose]()
  const { text: reply } = await answer(ctx, chatModel, message, used)
  const done = (stored?: StoredMemory): MemoryChat => ({
    reply,
    used,
    stored: stored?.outcome === 'stored' ? stored.memory : null,
  })
  if (isTrivial(message)) return keepAlone(ctx, done(), also)
  const memory = {
    content: message,
    source: 'chat',
    eventType: isQuestion(message) ? QUESTION : 'chat_message',
    ...(conversationId !== undefined && { origin: { conversation_id: conversationId } }),
  }
  try {
    const [stored] = await storeMemories(ctx, [{ memory }], { duplicatesFrom: DUPLICATES_FROM }, (tx, [result]) =>
      also(tx, done(result)),
    )
    return done(stored)
  } catch (error) {
    // Want of room for one more memory does not take the answer away.
    if (!(error instanceof GatewayError && error.code === 'quota_exceeded')) throw error
    ctx.log.info({ err: error }, 'chat answered, its message not remembered')
    return keepAlone(ctx, done(), also)
  }
}

/** Where there is nothing to store but the answer. */
async function keepAlone(ctx: UserContext, result: MemoryChat, also: AlsoStore<MemoryChat>): Promise<MemoryChat> {
  await inTransaction(ctx.services.db, (tx) => also(tx, result))
  return result
}

async function answer(
  ctx: UserContext,
  model: ModelProvider,
  message: string,
  used: readonly FoundMemory[],
): Promise<ChatReply> {
  try {
    return await askModel(ctx, model, {
      messages: [
        { role: 'system', content: instructions(used) },
        { role: 'user', content: message },
      ],
    })
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    ctx.log.warn({ err: error }, 'chat not answered')
    const nothingStored = 'Nothing was stored.'
    if (error.failure === 'rejected') {
      const reason = 'its operator finds the reason in the log of the gateway'
      throw new GatewayError('backend_failed', `The chat model refused the request; ${reason}. ${nothingStored}`, {
        cause: error,
      })
    }
    throw new GatewayError('unavailable', `The chat model does not answer now. ${nothingStored} Try again.`, {
      cause: error,
      retryAfter: error.retryAfter ?? 5,
    })
  }
}

function instructions(used: readonly FoundMemory[]): string {
  if (used.length === 0)
    return 'You are a helpful assistant. You remember nothing of this user that has to do with the message.'
  const texts = used.map(({ memory }) => cut(memory.content))
  return [
    'You are a helpful assistant that remembers the user. Below is what is remembered; "the user", and "I" in it, is who writes to you.',
    'Use what has to do with the message, and say so if the answer is not there.',
    dataNotice('memories'),
    fence('memories', texts),
  ].join('\n')
}

function cut(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN - 1)}…` : text
}
