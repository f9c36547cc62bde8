import type { ChatReply, ChatRequest, ModelProvider } from '../../../ports/model-provider.ts'
import { estimateTokens } from '../../../text/estimate-tokens.ts'
import type { ServiceContext } from '../../context.ts'
import { meter } from '../../usage/meter.ts'

/**
 * Asks the chat model, and counts the tokens: as the provider did, or by estimate where it does not say. `quota_exceeded` if the plan has
 * none left; a `ModelError` if the model fails. Never within a transaction.
 */
export async function askModel(ctx: ServiceContext, model: ModelProvider, request: ChatRequest): Promise<ChatReply> {
  await meter(ctx, { tokens: 0 })
  const reply = await model.complete(request, ctx.signal)
  const read = request.messages.map(({ content }) => content).join('\n')
  const tokens = reply.tokens ?? { input: estimateTokens(read), output: estimateTokens(reply.text) }
  await meter(ctx, { tokens: tokens.input + tokens.output })
  return reply
}
