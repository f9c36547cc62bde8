import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { chatMetrics } from './chat-metrics.ts'
import { engineMetrics } from './engine-metrics.ts'

export type Metrics = ReturnType<typeof createMetrics>

/** The process's Prometheus metrics. Labels are few and fixed: never an id. */
export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    requests: new Histogram({
      name: 'gateway_http_request_seconds',
      help: 'Time from the headers of a request to the end of its answer.',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
      registers,
    }),
    uploadedBytes: new Counter({ name: 'gateway_uploaded_bytes_total', help: 'Bytes of stored originals.', registers }),
    uploadsInFlight: new Gauge({ name: 'gateway_uploads_in_flight', help: 'Uploads being received.', registers }),
    relayedBatches: new Counter({
      name: 'gateway_relayed_batches_total',
      help: 'Attempts to relay a batch to the backend, by outcome.',
      labelNames: ['action', 'outcome'] as const,
      registers,
    }),
    resentMessages: new Counter({
      name: 'gateway_resent_messages_total',
      help: 'Messages sent again after an attempt whose answer was lost, because the backend said it lacks them.',
      registers,
    }),
    droppedHits: new Counter({
      name: 'gateway_dropped_hits_total',
      help: "Rows of the backend's answers that were not the caller's.",
      labelNames: ['reason'] as const,
      registers,
    }),
    deniedAccess: new Counter({
      name: 'gateway_denied_access_total',
      help: "Requests that named what is another user's.",
      labelNames: ['target'] as const,
      registers,
    }),
    authFailures: new Counter({
      name: 'gateway_auth_failures_total',
      help: 'Requests without a valid key.',
      registers,
    }),
    sweptObjects: new Counter({
      name: 'gateway_swept_objects_total',
      help: 'Objects deleted by the sweeper.',
      registers,
    }),
    ...chatMetrics(registers),
    ...engineMetrics(registers),
    webhookAttempts: new Counter({
      name: 'gateway_webhook_attempts_total',
      help: 'Attempts to deliver an event to a webhook, by what came of it.',
      labelNames: ['outcome'] as const,
      registers,
    }),
  }
}
