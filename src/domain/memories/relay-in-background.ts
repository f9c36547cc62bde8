import type { SystemContext } from '../context.ts'

/**
 * Has the backend learn what was stored, one session after the other, while its request is answered: the memories are durable, and the
 * gateway finds them by itself. What is not done when the process ends, their jobs do.
 */
export function relayInBackground(ctx: SystemContext, sessionIds: readonly string[]): void {
  const relayAll = async () => {
    for (const id of sessionIds) await ctx.services.relay.drain(id)
  }
  relayAll().catch((error: unknown) => ctx.log.warn({ err: error }, 'memories not relayed, their jobs will'))
}
