import type { Limits } from '../../config/config.ts'
import { memoriesOfUser } from '../../domain/idempotency/answer-subject.ts'
import { chatWithMemory, type MemoryChat } from '../../domain/memories/chat-with-memory.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, rounded, slashed } from '../../http/dialect.ts'
import { jsonBody } from '../../http/middleware/json-body.ts'
import { answer, answerOnce } from '../../http/once.ts'
import { countUse } from '../../http/quota.ts'
import { forEndUser } from '../../http/service.ts'
import { open, readBody } from './request.ts'
import { ChatBody, LegacyChatBody } from './schemas.ts'

export function chatRoutes(router: DialectRouter, limits: Limits): void {
  const readJson = jsonBody(limits.messagesBytes, (c) => open(c, 'write'))
  router.on('POST', slashed('/v1/chat'), readJson, (c) => chat(c, ChatBody, toChat))
  router.on('POST', slashed('/v1/chat/legacy'), readJson, (c) => chat(c, LegacyChatBody, toLegacyChat))
}

function chat(
  c: HttpContext,
  schema: typeof ChatBody | typeof LegacyChatBody,
  show: (chat: MemoryChat) => object,
): Promise<Response> {
  return answerOnce(c, async (claim) => {
    const { external_user_id: user, ...input } = await readBody(c, schema)
    const ctx = await forEndUser(c, await open(c, 'write'), user ?? undefined)
    await claim.begin(ctx, input)
    await countUse(c, ctx, { requests: 1, searches: 1 })
    const render = (result: MemoryChat) => answer(200, show(result))
    const { message, top_k: topK, conversation_id: conversationId } = input
    const asked = { message, topK, ...(conversationId && { conversationId }) }
    // The reply speaks of any of the memories.
    const keep = claim.keep(render, () => memoriesOfUser(ctx.caller.userId))
    return render(await chatWithMemory(ctx, asked, keep))
  })
}

function toChat({ reply, used, stored }: MemoryChat) {
  return {
    reply,
    used_memories: used.map(({ memory, similarity }) => ({ memory_text: memory.content, score: rounded(similarity) })),
    memory_created: stored !== null,
  }
}

function toLegacyChat({ reply, used }: MemoryChat) {
  return {
    reply,
    memory_ids: used.map(({ memory }) => memory.id),
    mode: 'process',
    memories_used: used.map(({ memory, similarity }) => ({
      id: memory.id,
      content: memory.content,
      similarity: rounded(similarity),
    })),
  }
}
