import type { SystemContext } from '../context.ts'
import { releaseAllSessions } from './lease-queries.ts'
import { selectStalledSessions } from './queries.ts'

const PAGE = 100
const AT_ONCE = 5

/** Relays sessions with open batches that nobody has touched for `olderThanMs`; ends when they have been tried. */
export async function resumeSessions(ctx: SystemContext, olderThanMs: number): Promise<void> {
  const waiting = await selectStalledSessions(ctx.services.db, olderThanMs, PAGE)
  const worker = async () => {
    for (let sessionId = waiting.pop(); sessionId !== undefined && !ctx.signal.aborted; sessionId = waiting.pop()) {
      await ctx.services.relay.drain(sessionId).catch((error: unknown) => {
        ctx.log.error({ err: error, sessionId }, 'session not resumed, the sweeper will try again')
      })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** For a process that alone uses its database, at its start: whoever held a session is dead. */
export function takeOverSessions(ctx: SystemContext): Promise<void> {
  return releaseAllSessions(ctx.services.db)
}
