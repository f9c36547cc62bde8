import { sweepOrphans } from '../domain/attachments/sweep-orphans.ts'
import type { DomainServices, SystemContext } from '../domain/context.ts'
import { continueErasure } from '../domain/erasure/continue-erasure.ts'
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
    'relay-session': async ({ sessionId }) => (await services.relay.drain(sessionId)) === 'idle',
    erase: ({ erasureId, name }, signal) => continueErasure(context(name, signal), erasureId),
    'sweep-orphans': async ({ name }, signal) => {
      await sweepOrphans(context(name, signal), orphanGraceMs)
      return true
    },
  }
}
