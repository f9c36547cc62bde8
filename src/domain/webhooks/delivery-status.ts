import type { DeliveryState } from '../../db/schema/webhook-deliveries.ts'
import type { DeliveryStatus, StatusFilter } from './schemas.ts'

const STATUS_OF: Readonly<Record<DeliveryState, DeliveryStatus>> = {
  pending: 'pending',
  retrying: 'retrying',
  delivered: 'delivered',
  dead: 'dead_letter',
}

export function statusOf({ state }: { readonly state: DeliveryState }): DeliveryStatus {
  return STATUS_OF[state]
}

/** The states that a filter means. */
export function statesOf(filters: readonly StatusFilter[]): DeliveryState[] {
  const states = filters.map(
    (filter): DeliveryState => (filter === 'failed' || filter === 'dead_letter' ? 'dead' : filter),
  )
  return [...new Set(states)]
}
