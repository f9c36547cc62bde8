import type { Limits, ObservationSettings, RecallSettings } from '../config/config.ts'
import type { Database, DatabaseConnection } from '../db/database.ts'
import type { KeyScope } from '../db/schema/api-keys.ts'
import type { Events } from '../observability/events.ts'
import type { Log } from '../observability/logger.ts'
import type { MemoryBackend } from '../ports/memory-backend.ts'
import type { ModelGateway } from '../ports/model-gateway.ts'
import type { ModelProvider } from '../ports/model-provider.ts'
import type { ObjectStore } from '../ports/object-store.ts'
import type { WebhookSender } from '../ports/webhook-sender.ts'
import type { Spool } from './attachments/spool.ts'
import type { UploadGate } from './attachments/upload-gate.ts'
import type { SessionRelay } from './relay/session-relay.ts'
import type { OpenExchanges } from './threads/open-exchanges.ts'
import type { RateWindows } from './usage/rate-windows.ts'
import type { UsageLedger } from './usage/usage-ledger.ts'
import type { UserTurns } from './users/user-turns.ts'

/** Durable work. Each job does one domain verb, and doing it twice is harmless. */
export type Job =
  | { name: 'relay-session'; sessionId: string }
  | { name: 'erase'; erasureId: string }
  /** `turn`: not to be taken for the twin of one that waits for a later time. */
  | { name: 'deliver-webhook'; deliveryId: number; webhookId: number; turn?: string }
  | { name: 'sweep-orphans' }
  | { name: 'auto-maintenance' }
  | { name: 'expire-memories' }
  | { name: 'tend-backend' }
  | { name: 'observe-thread'; threadId: string }
  | { name: 'flush-thread'; sessionId: string }

export interface JobQueue {
  /** Enqueues in the caller's transaction: the job exists if and only if that commits. A twin that has not begun yet serves both. */
  enqueue(tx: Database, job: Job): Promise<void>
  /** The same for many jobs of one name; due after so many seconds (default: what the name says). */
  enqueueAll(tx: Database, jobs: readonly Job[], delaySeconds?: number): Promise<void>
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
  readonly turns: UserTurns
  readonly exchanges: OpenExchanges
  readonly webhooks: WebhookSender
  readonly limits: Limits
  readonly events: Events
  readonly relayWaitMs: number
  /** Undefined if no chat model is configured. */
  readonly chatModel: ModelProvider | undefined
  readonly modelGateway: ModelGateway
  readonly observation: ObservationSettings
  readonly recall: RecallSettings
  /** By name. */
  readonly plans: ReadonlyMap<string, Plan>
  readonly usage: UsageLedger
  readonly rates: RateWindows
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

/** An account's key, and the project it works in: what a request of an application, not of a user, shows. */
export interface ServiceCaller {
  readonly accountId: string
  readonly projectId: string
  /** Whether the key works in this project alone. */
  readonly isProjectLocked: boolean
  readonly keyId: string
  readonly scopes: readonly KeyScope[]
  /** Names of the plans that hold for the account and for the key alone; null: none. */
  readonly accountPlan: string | null
  readonly keyPlan: string | null
}

/** What an account or a key may use; a limit that is not there does not hold. Months and days are UTC. */
export interface Plan {
  readonly requestsPerMinute?: number | undefined
  readonly requestsPerMonth?: number | undefined
  /** Memories of the account that are in sight at a time: neither archived nor expired. */
  readonly memories?: number | undefined
  readonly addsPerMonth?: number | undefined
  readonly searchesPerDay?: number | undefined
  readonly searchesPerMonth?: number | undefined
  /** Of the chat model, read and written. */
  readonly tokensPerMonth?: number | undefined
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

/** What the verbs on accounts work with: the operator's request to a gateway, or command on its database alone. */
export interface OperatorContext {
  readonly services: Pick<DomainServices, 'db' | 'plans' | 'usage'>
  readonly requestId: string
}

/** A request with an account's key. It may touch its project's data; for those of one user it is made a `UserContext`. */
export interface ServiceContext extends SystemContext {
  readonly service: ServiceCaller
}

/** A request with an account's key, for one of its end users. */
export type UserContext = Context & ServiceContext

/** Whose memories a query may touch: one user's, or all of a project of an account. */
export interface MemoryScope {
  readonly accountId: string
  readonly projectId: string
  readonly userId?: string
}

export interface Context extends SystemContext {
  readonly caller: Caller
  /** The user's turn. It ends with the request, or before: when only the backend's relay or the client is still to be waited for. */
  readonly turn: Disposable
}
