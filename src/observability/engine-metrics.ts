import { Counter, Gauge, type Registry } from 'prom-client'

/** Of the embedded backend's models. */
export function engineMetrics(registers: Registry[]) {
  return {
    engineModelCalls: new Counter({
      name: 'gateway_engine_model_calls_total',
      help: 'Calls of models by the embedded backend, by what for and what came of it.',
      labelNames: ['purpose', 'outcome'] as const,
      registers,
    }),
    engineModelTokens: new Counter({
      name: 'gateway_engine_model_tokens_total',
      help: 'Tokens of these calls.',
      labelNames: ['purpose', 'direction'] as const,
      registers,
    }),
    engineFacts: new Counter({
      name: 'gateway_engine_facts_total',
      help: 'Facts that a model drew from messages, by what became of them: stored, or refused for want of a source.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    engineFactsGivenUp: new Counter({
      name: 'gateway_engine_facts_given_up_total',
      help: 'Stretches of sessions without facts, because no try of the model came to anything.',
      registers,
    }),
    engineSessionsWaiting: new Gauge({
      name: 'gateway_engine_sessions_waiting',
      help: 'Sessions that wait for the chat model to draw facts from them.',
      registers,
    }),
  }
}
