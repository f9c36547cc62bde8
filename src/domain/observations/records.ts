import type { ObservationSettings } from '../../config/config.ts'
import type { SystemContext } from '../context.ts'
import type { ThreadRow } from '../threads/thread-context.ts'
import { sumUnobserved } from './message-queries.ts'
import { type HeldRecord, type RecordPage, type RecordRow, selectCurrent, selectRecords } from './queries.ts'
import { isActivationDue, isReflectionDue } from './thresholds.ts'

export type { RecordPage, RecordRow } from './queries.ts'

/** What is being done with a record now. `buffering_…`: ahead of time, while the record in use stays as it is. */
export type ObservationWork = 'observing' | 'reflecting' | 'buffering_observation' | 'buffering_reflection'

export interface ShownRecord {
  readonly record: RecordRow
  /** Of messages that are still shown as they are; 0 of a record that is not in use any more. */
  readonly pendingTokens: number
  readonly work: ObservationWork | undefined
  /** The thresholds that hold. */
  readonly settings: ObservationSettings
}

type ThreadId = Pick<ThreadRow, 'id' | 'userId'>

/** The record of a thread that is in use; undefined before the Observer first came. `thread` must have been found for the caller. */
export async function currentRecord(ctx: SystemContext, thread: ThreadId): Promise<ShownRecord | undefined> {
  const { db } = ctx.services
  const current = await selectCurrent(db, thread, thread.id)
  return current && inUse(ctx, thread, current)
}

/** The record in use and those before it, newest first. `thread` must have been found for the caller. */
export async function listRecords(ctx: SystemContext, thread: ThreadId, page: RecordPage): Promise<ShownRecord[]> {
  const { db, observation: settings } = ctx.services
  const records = await selectRecords(db, thread, thread.id, page)
  const current = await selectCurrent(db, thread, thread.id)
  const shown: ShownRecord[] = []
  for (const held of records) {
    const { record } = held
    const isInUse = record.id === current?.record.id
    shown.push(isInUse ? await inUse(ctx, thread, held) : { record, pendingTokens: 0, work: undefined, settings })
  }
  return shown
}

async function inUse(ctx: SystemContext, thread: ThreadId, { record, isHeld }: HeldRecord): Promise<ShownRecord> {
  const { db, observation: settings } = ctx.services
  const unobserved = await sumUnobserved(db, thread, thread.id)
  const work = isHeld ? workOn(record, isActivationDue(unobserved, settings), settings) : undefined
  return { record, pendingTokens: unobserved.pending, work, settings }
}

function workOn(
  { work, observationTokens }: RecordRow,
  isActivating: boolean,
  settings: ObservationSettings,
): ObservationWork | undefined {
  if (work === 'observing') return isActivating ? 'observing' : 'buffering_observation'
  if (work === 'reflecting') return isReflectionDue(observationTokens, settings) ? 'reflecting' : 'buffering_reflection'
  return undefined
}
