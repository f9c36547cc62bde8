import type { BackendHealth } from '../../ports/memory-backend.ts'
import type { DomainServices } from '../context.ts'

const PING_MS = 2_000

export interface PartHealth {
  readonly status: 'ok' | 'unavailable'
  readonly kind: string
}

export interface Readiness {
  readonly canServe: boolean
  readonly database: PartHealth
  readonly objectStore: PartHealth
}

export interface Health extends Readiness {
  /** `degraded`: the gateway answers, but something behind it is away. */
  readonly status: 'ok' | 'degraded'
  readonly backend: BackendHealth
}

/** Asks everything that the gateway works with; never rejects, answers within seconds. */
export async function checkHealth(services: DomainServices): Promise<Health> {
  const [backend, own] = await Promise.all([services.backend.health(), checkReadiness(services)])
  return { status: backend.status === 'ok' && own.canServe ? 'ok' : 'degraded', backend, ...own }
}

/** Asks what the gateway itself cannot serve without. */
export async function checkReadiness({ database, objectStore }: DomainServices): Promise<Readiness> {
  const [databaseStatus, storeStatus] = await Promise.all([
    answers(() => database.ping()),
    answers(() => objectStore.ping({ signal: AbortSignal.timeout(PING_MS) })),
  ])
  return {
    canServe: databaseStatus === 'ok' && storeStatus === 'ok',
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
