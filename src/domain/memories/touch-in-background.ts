import type { MemoryScope, SystemContext } from '../context.ts'
import { touchMemories } from './upkeep-queries.ts'

/** Counts an access. Nobody waits for it, and one that is lost does no harm. */
export function touchInBackground(ctx: SystemContext, scope: MemoryScope, ids: readonly string[]): void {
  if (ids.length === 0) return
  touchMemories(ctx.services.db, scope, ids).catch((error: unknown) => {
    ctx.log.debug({ err: error }, 'access to memories not counted')
  })
}
