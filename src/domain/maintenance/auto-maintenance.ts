import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { mergeAutoMaintenance, selectAutoMaintenance } from './queries.ts'
import { type AutoMaintenance, AutoMaintenanceChanges, type TaskSettings } from './schemas.ts'

const OFF: TaskSettings = { enabled: false, frequency: 'weekly', lastRunAt: null }

/** What the gateway does of its own accord with the memories of the key's project; nothing, until it is turned on. */
export async function getAutoMaintenance(ctx: ServiceContext): Promise<AutoMaintenance> {
  return complete(await selectAutoMaintenance(ctx.services.db, ctx.service))
}

/** What is left out of `input` stays as it is. What is turned on runs within the hour, and again after each of its periods. */
export async function setAutoMaintenance(
  ctx: ServiceContext,
  input: unknown,
  also: AlsoStore<AutoMaintenance> = nothingElse,
): Promise<AutoMaintenance> {
  const changes = parseInput(AutoMaintenanceChanges, input)
  return inTransaction(ctx.services.db, async (tx) => {
    const given = Object.fromEntries(
      Object.entries(changes).flatMap(([task, change]) => (change ? [[task, definedIn(change)]] : [])),
    )
    const settings = complete(await mergeAutoMaintenance(tx, ctx.service, given))
    await recordAudit(tx, ctx, { action: 'settings.update', target: ctx.service.projectId })
    await also(tx, settings)
    return settings
  })
}

export function complete(settings: Partial<AutoMaintenance>): AutoMaintenance {
  return {
    consolidation: { ...OFF, ...settings.consolidation },
    reflection: { ...OFF, ...settings.reflection },
  }
}

function definedIn(change: object): object {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}
