import type { ModelProvider } from '../../../ports/model-provider.ts'
import type { ServiceContext } from '../../context.ts'
import { GatewayError } from '../../errors.ts'

/** The chat model; `unavailable` where none is configured. */
export function requireModel({ services: { chatModel } }: ServiceContext): ModelProvider {
  if (chatModel) return chatModel
  throw new GatewayError('unavailable', 'This needs a chat model, and none is configured: set CHAT_MODEL.', {
    details: { setting: 'CHAT_MODEL' },
  })
}
