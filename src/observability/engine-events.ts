import type { Log } from './logger.ts'
import type { Metrics } from './metrics.ts'

/** What the embedded backend does with models. */
export function engineEvents(metrics: Metrics, log: Log) {
  let today = ''
  const spent = new Set<string>()
  return {
    modelAsked(use: {
      purpose: 'facts' | 'picture' | 'sound'
      outcome: 'answered' | 'failed'
      model: string
      inputTokens: number
      outputTokens: number
      ms: number
    }) {
      const { purpose, outcome } = use
      metrics.engineModelCalls.inc({ purpose, outcome })
      metrics.engineModelTokens.inc({ purpose, direction: 'input' }, use.inputTokens)
      metrics.engineModelTokens.inc({ purpose, direction: 'output' }, use.outputTokens)
      log.info(use, 'the embedded backend asked a model')
    },
    factsStored(stored: number, refused: number) {
      metrics.engineFacts.inc({ outcome: 'stored' }, stored)
      metrics.engineFacts.inc({ outcome: 'refused' }, refused)
    },
    factsGivenUp(tries: number, reason: string) {
      metrics.engineFactsGivenUp.inc()
      log.error({ tries, reason }, 'a stretch of a session is left without facts: the chat model failed in every try')
    },
    /** Said once a day of each. */
    budgetSpent(ownerId: string) {
      const day = new Date().toISOString().slice(0, 10)
      if (day !== today) spent.clear()
      today = day
      if (spent.has(ownerId)) return
      spent.add(ownerId)
      log.warn({ userId: ownerId }, 'EXTRACTION_TOKENS_PER_DAY: spent for a user; facts wait for the next day')
    },
    sessionsWaiting(count: number) {
      metrics.engineSessionsWaiting.set(count)
    },
  }
}
