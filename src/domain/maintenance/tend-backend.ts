import { setTimeout as sleep } from 'node:timers/promises'
import type { SystemContext } from '../context.ts'

/** The next job goes on; it comes every minute. */
const WORK_MS = 50_000

/** System scope: has the backend do what waits in the background, until nothing is left to do now. */
export async function tendBackend(ctx: SystemContext): Promise<void> {
  const until = performance.now() + WORK_MS
  for (;;) {
    const { remaining, againInMs } = await ctx.services.backend.tend(ctx.signal)
    if (remaining > 0) ctx.log.info({ remaining }, 'the memory backend has work left')
    if (remaining === 0 || againInMs === undefined || performance.now() + againInMs > until) return
    await sleep(againInMs, undefined, { signal: ctx.signal })
  }
}
