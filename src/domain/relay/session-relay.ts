import { randomUUID } from 'node:crypto'
import type { Database } from '../../db/database.ts'
import type { Events } from '../../observability/events.ts'
import type { Log } from '../../observability/logger.ts'
import { step } from '../../observability/steps.ts'
import { withoutTimings } from '../../observability/timings.ts'
import type { MemoryBackend } from '../../ports/memory-backend.ts'
import type { ObjectStore } from '../../ports/object-store.ts'
import { type ClaimedSession, claimSession, extendLease, releaseIfIdle, releaseSession } from './lease-queries.ts'
import type { BatchOutcome } from './outcome.ts'
import { findNextBatch, isAnyOpen } from './queries.ts'
import { relayBatch } from './relay-batch.ts'

export interface RelayDependencies {
  readonly db: Database
  readonly objectStore: ObjectStore
  readonly backend: MemoryBackend
  readonly events: Events
  readonly log: Log
  /** After so many attempts without a clear answer a batch is `failed`. */
  readonly attempts: number
  /** After so many ms a batch is `failed`, whatever the reason. */
  readonly giveUpMs: number
}

const LEASE_MS = 15_000
const HEARTBEAT_MS = 5_000
/** How soon a session held by another process is looked at again. */
const BUSY_RETRY_MS = 250
/** How long a process that ends waits for the backend; what has no answer by then, another process takes up. */
const SETTLE_MS = 3_000

/**
 * - `idle`: nothing is left to relay.
 * - `waiting`: the next batch has to be tried again later.
 * - `busy`: another process relays this session.
 */
export type DrainResult = 'idle' | 'waiting' | 'busy'

/**
 * Relays the batches of a session in their order, one at a time over all processes: a session is claimed by a lease in
 * its row. Within a process one loop serves all who wait for the session.
 */
export class SessionRelay {
  readonly #deps: RelayDependencies
  readonly #loops = new Map<string, { done: Promise<DrainResult>; again: boolean }>()
  readonly #waiters = new Map<string, (outcome: BatchOutcome) => void>()
  readonly #waits = new Set<() => void>()
  #isStopping = false
  readonly #ending = new AbortController()

  constructor(deps: RelayDependencies) {
    this.#deps = deps
  }

  /** Relays what is open in the session; joins the loop that is at it already. */
  drain(sessionId: string): Promise<DrainResult> {
    const running = this.#loops.get(sessionId)
    if (running) {
      running.again = true
      return running.done
    }
    const loop = { again: false, done: Promise.resolve<DrainResult>('idle') }
    loop.done = withoutTimings(() => this.#loop(sessionId, loop))
    this.#loops.set(sessionId, loop)
    return loop.done
  }

  /** The same for a job, which mostly comes when all is done: nothing is claimed then. */
  async drainIfOpen(sessionId: string): Promise<DrainResult> {
    return (await isAnyOpen(this.#deps.db, sessionId)) ? this.drain(sessionId) : 'idle'
  }

  /**
   * Relays the session up to the last of the batches, and waits for its outcome for `waitMs` at most; `queued` if it has
   * none by then. An earlier one that is not relayed ends the wait with its outcome. The work goes on all the same.
   */
  async relayNow(sessionId: string, batchIds: readonly string[], waitMs: number): Promise<BatchOutcome | 'queued'> {
    const deadline = Date.now() + waitMs
    return new Promise((resolve) => {
      let isWaiting = true
      const finish = (outcome: BatchOutcome | 'queued') => {
        isWaiting = false
        clearTimeout(timer)
        this.#waits.delete(queued)
        for (const id of batchIds) this.#waiters.delete(id)
        resolve(outcome)
      }
      const queued = () => finish('queued')
      const timer = setTimeout(queued, this.#isStopping ? 0 : waitMs)
      this.#waits.add(queued)
      for (const id of batchIds) {
        this.#waiters.set(id, (outcome) => {
          if (outcome.state !== 'relayed' || id === batchIds.at(-1)) finish(outcome)
        })
      }
      void this.#drainUntil(sessionId, () => isWaiting && Date.now() < deadline).then(queued)
    })
  }

  /** For a process that is to end: whoever waits for an outcome is told that there is none yet; what they sent is durable. */
  stopWaiting(): void {
    this.#isStopping = true
    for (const queued of this.#waits) queued()
  }

  /** Ends when every loop has. */
  async settle(): Promise<void> {
    await Promise.allSettled([...this.#loops.values()].map((loop) => loop.done))
  }

  /** For a process that ends: settles, but soon gives up what it asks of the backend, and begins nothing more. */
  async end(): Promise<void> {
    const giveUp = () => this.#ending.abort(new Error('The gateway ends.'))
    const timer = setTimeout(giveUp, SETTLE_MS)
    await this.settle()
    clearTimeout(timer)
    giveUp()
  }

  async #drainUntil(sessionId: string, isWaiting: () => boolean): Promise<void> {
    try {
      while ((await this.drain(sessionId)) === 'busy' && isWaiting()) {
        await new Promise((resolve) => setTimeout(resolve, BUSY_RETRY_MS))
      }
    } catch (error) {
      this.#deps.log.error({ err: error, sessionId }, 'relay interrupted, its job will go on')
    }
  }

  async #loop(sessionId: string, loop: { again: boolean }): Promise<DrainResult> {
    try {
      let result: DrainResult
      do {
        loop.again = false
        result = await this.#claimAndDrain(sessionId)
      } while (loop.again && result === 'idle')
      return result
    } finally {
      this.#loops.delete(sessionId)
    }
  }

  async #claimAndDrain(sessionId: string): Promise<DrainResult> {
    const { db } = this.#deps
    if (this.#ending.signal.aborted) return 'waiting'
    const token = randomUUID()
    const session = await claimSession(db, sessionId, token, LEASE_MS)
    if (session === 'gone') return 'idle'
    if (session === 'held') return 'busy'
    step('session-claimed')
    const lease = this.#holdLease(sessionId, token)
    let isReleased = false
    try {
      const signal = AbortSignal.any([lease.signal, this.#ending.signal])
      const drained = await this.#relayOpenBatches(session, signal)
      isReleased = drained.isReleased
      return drained.result
    } finally {
      lease.end()
      if (!isReleased) await releaseSession(db, sessionId, token)
    }
  }

  /** Keeps the lease alive; its signal aborts when the lease is lost, or could not be extended in time. */
  #holdLease(sessionId: string, token: string): { signal: AbortSignal; end: () => void } {
    const { db, log } = this.#deps
    const lost = new AbortController()
    let heldSince = Date.now()
    const heartbeat = setInterval(() => {
      const beganAt = Date.now()
      if (beganAt - heldSince > LEASE_MS) lost.abort(new Error('The lease of the session ran out.'))
      extendLease(db, sessionId, token, LEASE_MS).then(
        (isHeld) => {
          if (isHeld) heldSince = beganAt
          else lost.abort(new Error('The lease of the session was lost.'))
        },
        (error: unknown) => log.warn({ err: error, sessionId }, 'lease not extended'),
      )
    }, HEARTBEAT_MS)
    return { signal: lost.signal, end: () => clearInterval(heartbeat) }
  }

  /** `isReleased`: with the last batch the session was given back. */
  async #relayOpenBatches(
    session: ClaimedSession,
    signal: AbortSignal,
  ): Promise<{ result: DrainResult; isReleased: boolean }> {
    const { db, giveUpMs } = this.#deps
    const ended = (result: DrainResult) => ({ result, isReleased: false })
    for (;;) {
      const open = await findNextBatch(db, session.id, giveUpMs)
      if (!open || session.deletedAt) return ended('idle')
      const { id } = open.batch
      const outcome = await relayBatch(this.#deps, session, open, { signal, isAwaited: () => this.#waiters.has(id) })
      step('outcome-recorded')
      this.#waiters.get(id)?.(outcome)
      if (outcome.state === 'waiting') return ended('waiting')
      const isLast = outcome.state === 'relayed' && outcome.isReleased
      if (!isLast && signal.aborted) return ended('busy')
      if (isLast || (await releaseIfIdle(db, session.id, session.token))) return { result: 'idle', isReleased: true }
    }
  }
}
