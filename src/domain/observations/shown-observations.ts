import type { Database } from '../../db/database.ts'
import type { Owner } from '../context.ts'
import { selectShown } from './queries.ts'

export interface ShownObservations {
  /** Lines that hold no `<`: no text in them can end a block of a prompt. They may be none, where nothing was worth a note. */
  readonly observations: string
  /** Upstream timestamp of the newest message that they stand for: it and those before it need not be shown. */
  readonly observedThrough: number
  /** Of `observations`. */
  readonly tokens: number
}

/** What takes the place of a thread's older messages; undefined before any of them is observed. One prepared statement. */
export async function shownObservations(
  db: Database,
  owner: Owner,
  threadId: string,
): Promise<ShownObservations | undefined> {
  const row = await selectShown(db, owner, threadId)
  return row && row.observedThrough > 0 ? row : undefined
}
