import { Counter, Histogram, type Registry } from 'prom-client'

/** Of the chat proxy and what is remembered of it. */
export function chatMetrics(registers: Registry[]) {
  return {
    modelAnswers: new Histogram({
      name: 'gateway_model_seconds',
      help: 'Time until a model provider began its answer to a chat through the proxy.',
      labelNames: ['provider', 'status'] as const,
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
      registers,
    }),
    chatFilesNotKept: new Counter({
      name: 'gateway_chat_files_not_kept_total',
      help: 'Files of chats that are remembered by their placeholder only, by reason.',
      labelNames: ['reason'] as const,
      registers,
    }),
    exchangesStored: new Counter({
      name: 'gateway_exchanges_stored_total',
      help: 'Exchanges of chats that are remembered.',
      registers,
    }),
    exchangesNotStored: new Counter({
      name: 'gateway_exchanges_not_stored_total',
      help: 'Exchanges of chats that are not remembered: their thread was deleted meanwhile, or they could not be stored for a minute.',
      labelNames: ['reason'] as const,
      registers,
    }),
  }
}
