import { inTransaction } from '../../db/database.ts'
import { type AlsoStore, nothingElse, type ServiceContext, type UserContext } from '../context.ts'
import { ensureScope } from '../sessions/ensure-scope.ts'
import { asUser, ensureEndUser } from '../users/end-users.ts'
import { emitMemories } from '../webhooks/memory-events.ts'
import type { MemoryRow } from './queries.ts'
import { relayInBackground } from './relay-in-background.ts'
import { insertPlanned, type PlannedMemory, planMemory } from './store-memories.ts'

export interface MemoryToImport {
  /** Undefined: it belongs to no end user. */
  readonly endUser: string | undefined
  readonly memory: unknown
}

/** Stores memories of any end users of the project, all or none. Resolves with them in their order. Errors as of `storeMemories`. */
export async function importMemories(
  ctx: ServiceContext & { readonly turn: Disposable },
  items: readonly MemoryToImport[],
  also: AlsoStore<readonly MemoryRow[]> = nothingElse,
): Promise<readonly MemoryRow[]> {
  const planned: { owner: UserContext; plan: PlannedMemory }[] = []
  for (const [endUser, own] of Map.groupBy(items, (item) => item.endUser)) {
    const owner = asUser(ctx, await ensureEndUser(ctx, endUser), ctx.turn)
    const scope = await ensureScope(owner, { appId: 'default', projectId: 'default' })
    for (const { memory } of own) planned.push({ owner, plan: await planMemory(owner, scope, { memory }) })
  }
  const order = [...Map.groupBy(items, (item) => item.endUser).values()].flat()
  const stored = await inTransaction(ctx.services.db, async (tx) => {
    const byItem = new Map<MemoryToImport, MemoryRow>()
    for (const [index, { owner, plan }] of planned.entries()) {
      const [result] = await insertPlanned(tx, owner, [plan], {})
      const item = order[index]
      if (result && item) byItem.set(item, result.memory)
    }
    const rows = items.flatMap((item) => byItem.get(item) ?? [])
    await emitMemories(tx, ctx, 'memory.created', rows)
    await also(tx, rows)
    return rows
  })
  relayInBackground(
    ctx,
    stored.map(({ sessionId }) => sessionId),
  )
  return stored
}
