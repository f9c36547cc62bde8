import type { Limits } from '../config/config.ts'
import type { Database, DatabaseConnection } from '../db/database.ts'
import type { Events } from '../observability/events.ts'
import type { Log } from '../observability/logger.ts'
import type { MemoryBackend } from '../ports/memory-backend.ts'
import type { ObjectStore } from '../ports/object-store.ts'
import type { Spool } from './attachments/spool.ts'
import type { UploadGate } from './attachments/upload-gate.ts'
import type { SessionRelay } from './relay/session-relay.ts'

/** Durable work. Each job does one domain verb, and doing it twice is harmless. */
export type Job =
  | { name: 'relay-session'; sessionId: string }
  | { name: 'erase'; erasureId: string }
  | { name: 'sweep-orphans' }

export interface JobQueue {
  /** Enqueues in the caller's transaction: the job exists if and only if that commits. A twin that has not begun yet serves both. */
  enqueue(tx: Database, job: Job): Promise<void>
  /** When the queued relay of each of these sessions is due; a session without one is left out. */
  relayTimes(sessionIds: readonly string[]): Promise<ReadonlyMap<string, Date>>
}

/** What a surface adds to the transaction of a verb's effect, given the verb's result: the answer it will repeat, for one. */
export type AlsoStore<T> = (tx: Database, result: T) => Promise<void>

export const nothingElse = async (): Promise<void> => {}

/** What the domain needs of the process. */
export interface DomainServices {
  readonly db: Database
  readonly database: Pick<DatabaseConnection, 'kind' | 'version' | 'ping'>
  readonly objectStore: ObjectStore
  readonly backend: MemoryBackend
  readonly jobs: JobQueue
  readonly relay: SessionRelay
  readonly spool: Spool
  readonly uploads: UploadGate
  readonly limits: Limits
  readonly events: Events
  readonly relayWaitMs: number
}

/** Whose request this is. Made only from an authenticated key. */
export interface Caller {
  readonly accountId: string
  /** Our id of the user: owns every row. */
  readonly userId: string
  /** The `user_id` of the API. */
  readonly externalUserId: string
  readonly keyId: string
}

/** Whose data a query may touch. */
export type Owner = Pick<Caller, 'userId'>

/** Where in the caller's data: `app_id` and `project_id`. */
export interface Space {
  readonly appId: string
  readonly projectId: string
}

/** What a verb without a user works with. */
export interface SystemContext {
  readonly services: DomainServices
  readonly requestId: string
  readonly log: Log
  readonly signal: AbortSignal
}

export interface Context extends SystemContext {
  readonly caller: Caller
}
