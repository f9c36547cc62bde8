import { sweepOrphans } from '../domain/attachments/sweep-orphans.ts'
import type { DomainServices, SystemContext } from '../domain/context.ts'
import { forgetSession } from '../domain/sessions/forget-session.ts'
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
    'forget-session': ({ sessionId, settlesAt, name }, signal) =>
      forgetSession(context(name, signal), sessionId, settlesAt === undefined ? 0 : Date.parse(settlesAt)),
    'sweep-orphans': async ({ name }, signal) => {
      await sweepOrphans(context(name, signal), orphanGraceMs)
      return true
    },
  }
}
