import type { BackendHealth } from '../../ports/memory-backend.ts'
import type { DomainServices } from '../context.ts'

const PING_MS = 2_000

export interface PartHealth {
  readonly status: 'ok' | 'unavailable'
  readonly kind: string
}

export interface Health {
  /** `degraded`: the gateway serves, but something behind it is away. */
  readonly status: 'ok' | 'degraded'
  readonly backend: BackendHealth
  readonly database: PartHealth
  readonly objectStore: PartHealth
}

/** Asks the parts that the gateway stands on; never rejects, answers within seconds. */
export async function checkHealth(services: DomainServices): Promise<Health> {
  const { backend, database, objectStore } = services
  const [backendHealth, databaseStatus, storeStatus] = await Promise.all([
    backend.health(),
    answers(() => database.ping()),
    answers(() => objectStore.ping({ signal: AbortSignal.timeout(PING_MS) })),
  ])
  const isWhole = backendHealth.status === 'ok' && databaseStatus === 'ok' && storeStatus === 'ok'
  return {
    status: isWhole ? 'ok' : 'degraded',
    backend: backendHealth,
    database: { status: databaseStatus, kind: database.kind },
    objectStore: { status: storeStatus, kind: objectStore.kind },
  }
}

async function answers(ping: () => Promise<void>): Promise<'ok' | 'unavailable'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'unavailable'>((resolve) => {
    timer = setTimeout(() => resolve('unavailable'), PING_MS)
  })
  const asked = ping().then(
    () => 'ok' as const,
    () => 'unavailable' as const,
  )
  try {
    return await Promise.race([asked, late])
  } finally {
    clearTimeout(timer)
  }
}
