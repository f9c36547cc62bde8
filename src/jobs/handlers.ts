import { sweepOrphans } from '../domain/attachments/sweep-orphans.ts'
import type { DomainServices, SystemContext } from '../domain/context.ts'
import { continueErasure } from '../domain/erasure/continue-erasure.ts'
import { runAutoMaintenance } from '../domain/maintenance/run-auto-maintenance.ts'
import { tendBackend } from '../domain/maintenance/tend-backend.ts'
import { expireMemories } from '../domain/memories/expire-memories.ts'
import { observeThread } from '../domain/observations/observe-thread.ts'
import { flushThread } from '../domain/threads/flush-thread.ts'
import { deliverWebhook } from '../domain/webhooks/deliver-webhook.ts'
import type { Log } from '../observability/logger.ts'
import type { JobHandlers } from './queue.ts'

/** Which domain verb each job calls. */
export function createJobHandlers(services: DomainServices, log: Log, orphanGraceMs: number): JobHandlers {
  const context = (job: string, signal: AbortSignal): SystemContext => ({
    services,
    requestId: `job:${job}`,
    log: log.child({ job }),
    signal,
  })
  return {
    'relay-session': async ({ sessionId }) => (await services.relay.drainIfOpen(sessionId)) === 'idle',
    erase: ({ erasureId, name }, signal) => continueErasure(context(name, signal), erasureId),
    'deliver-webhook': ({ name, deliveryId, webhookId }, signal) =>
      deliverWebhook(context(name, signal), { id: deliveryId, webhookId }),
    'observe-thread': ({ name, threadId }, signal) => observeThread(context(name, signal), threadId),
    'flush-thread': async ({ name, sessionId }, signal) => {
      await flushThread(context(name, signal), sessionId)
      return true
    },
    'expire-memories': async ({ name }, signal) => {
      await expireMemories(context(name, signal))
      return true
    },
    'sweep-orphans': async ({ name }, signal) => {
      await sweepOrphans(context(name, signal), orphanGraceMs)
      return true
    },
    'tend-backend': async ({ name }, signal) => {
      await tendBackend(context(name, signal))
      return true
    },
    'auto-maintenance': async ({ name }, signal) => {
      await runAutoMaintenance(context(name, signal))
      return true
    },
  }
}
