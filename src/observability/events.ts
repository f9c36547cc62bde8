import { engineEvents } from './engine-events.ts'
import type { Log } from './logger.ts'
import type { Metrics } from './metrics.ts'

export type Events = ReturnType<typeof createEvents>

/** What is worth counting or logging, one function an event: callers name what happened, not where it is recorded. */
export function createEvents(metrics: Metrics, log: Log) {
  return {
    attachmentStored(bytes: number) {
      metrics.uploadedBytes.inc(bytes)
    },
    uploadStarted() {
      metrics.uploadsInFlight.inc()
    },
    uploadEnded() {
      metrics.uploadsInFlight.dec()
    },
    batchRelayed(batch: { id: string; action: string }) {
      metrics.relayedBatches.inc({ action: batch.action, outcome: 'relayed' })
    },
    batchNotRelayed(batch: { id: string; action: string }, outcome: string, reason: string, attempts: number) {
      metrics.relayedBatches.inc({ action: batch.action, outcome })
      log.warn({ batchId: batch.id, action: batch.action, outcome, reason, attempts }, 'batch not relayed')
    },
    messagesSentAgain(batchId: string, count: number) {
      metrics.resentMessages.inc(count)
      log.warn({ batchId, count }, 'messages sent again after a lost answer: the backend lacks them')
    },
    hitDropped(reason: 'partition' | 'session' | 'sender', hit: { projectId: string; sessionId: string }) {
      metrics.droppedHits.inc({ reason })
      log.error(
        { reason, upstreamProjectId: hit.projectId, upstreamSessionId: hit.sessionId },
        "dropped a foreign row of the backend's answer",
      )
    },
    accessDenied(target: string, userId: string, requestId: string) {
      metrics.deniedAccess.inc({ target })
      log.warn({ target, userId, requestId }, "denied a request for another user's data")
    },
    authenticationFailed() {
      metrics.authFailures.inc()
    },
    chatFileNotKept(reason: string) {
      metrics.chatFilesNotKept.inc({ reason })
    },
    exchangeStored() {
      metrics.exchangesStored.inc()
    },
    exchangeNotStored(reason: 'thread_gone' | 'failed') {
      metrics.exchangesNotStored.inc({ reason })
    },
    webhookAttempted(outcome: 'delivered' | 'retrying' | 'dead') {
      metrics.webhookAttempts.inc({ outcome })
    },
    ...engineEvents(metrics, log),
    objectsSwept(count: number) {
      metrics.sweptObjects.inc(count)
      log.info({ count }, 'deleted objects that nothing refers to')
    },
  }
}
