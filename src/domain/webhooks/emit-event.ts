import type { Database } from '../../db/database.ts'
import type { DomainServices, JobQueue } from '../context.ts'
import { createId } from '../ids.ts'
import { type DeliveryId, insertDeliveries, type NewDelivery, selectAppUserNames } from './delivery-queries.ts'
import { lockHearers } from './queries.ts'
import type { EventType } from './schemas.ts'

/** A command on the database alone has no queue: the gateway that runs on it finds such deliveries when it sweeps. */
export interface EventContext {
  readonly services: Pick<DomainServices, 'db'> & { readonly jobs?: JobQueue }
}

/** Where an event happened: in an account, and in one of its projects (null: in none). */
export interface EventPlace {
  readonly accountId: string
  readonly projectId: string | null
}

export interface WebhookEvent {
  readonly type: EventType
  /** Our id of the user whose data it is about; what is stored of it goes when they are erased. */
  readonly userId?: string | undefined
  /** Any JSON object. */
  readonly data: Readonly<Record<string, unknown>>
}

/** So many deliveries are written in one statement. */
const AT_ONCE = 100

/**
 * Has the account's webhooks told of what this transaction does: with its commit there is one delivery for each webhook that wants the
 * event, and a job that makes it. `events` is not called if no webhook is there to hear, and then all this costs one look at an index.
 */
export async function emitEvents(
  tx: Database,
  ctx: EventContext,
  place: EventPlace,
  events: () => readonly WebhookEvent[],
): Promise<void> {
  const hearers = await lockHearers(tx, place)
  if (hearers.length === 0) return
  const heard = new Set(hearers.flatMap((webhook) => webhook.events))
  const made = events().filter(({ type }) => heard.has(type))
  const names = await selectAppUserNames(
    tx,
    made.flatMap(({ userId }) => userId ?? []),
  )
  // What users do with keys of their own is no matter of the account's applications.
  const told = made.filter(({ userId }) => userId === undefined || names.has(userId))
  const rows = told.flatMap((event) => {
    const row = toDelivery(place, event, names.get(event.userId ?? '') || undefined)
    return hearers
      .filter(({ events: wanted }) => wanted.includes(event.type))
      .map(({ id }) => ({ ...row, webhookId: id }))
  })
  for (let start = 0; start < rows.length; start += AT_ONCE) {
    await storeDeliveries(tx, ctx, rows.slice(start, start + AT_ONCE))
  }
}

export function emitEvent(tx: Database, ctx: EventContext, place: EventPlace, event: WebhookEvent): Promise<void> {
  return emitEvents(tx, ctx, place, () => [event])
}

/** The event as it is sent, to all webhooks alike. */
export function toDelivery(
  place: EventPlace,
  { type, userId, data }: WebhookEvent,
  endUserId: string | undefined,
): Omit<NewDelivery, 'webhookId'> {
  const eventId = createId('evt')
  const payload = {
    id: eventId,
    type,
    created_at: new Date().toISOString(),
    project_id: place.projectId,
    end_user_id: endUserId ?? null,
    data,
  }
  return { eventId, eventType: type, userId: userId ?? null, payload }
}

/** Writes deliveries, and the jobs that make them; resolves with their ids, in the same order. */
export async function storeDeliveries(
  tx: Database,
  ctx: EventContext,
  rows: readonly NewDelivery[],
): Promise<readonly number[]> {
  if (rows.length === 0) return []
  const deliveries = await insertDeliveries(tx, rows)
  await ctx.services.jobs?.enqueueAll(tx, deliveries.map(toJob))
  return deliveries.map(({ id }) => id)
}

export function toJob({ id, webhookId }: DeliveryId) {
  return { name: 'deliver-webhook' as const, deliveryId: id, webhookId }
}
