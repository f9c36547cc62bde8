import type { SystemContext } from '../context.ts'
import { findWebhook, selectKeyNames, selectWebhooks, type WebhookRow } from './queries.ts'
import {
  countRecent,
  noStatistics,
  type RecentCounts,
  selectStatistics,
  type WebhookStatistics,
} from './statistics-queries.ts'
import { unknownWebhook, type WebhookScope } from './webhook-scope.ts'

export interface ListedWebhook {
  readonly webhook: WebhookRow
  readonly statistics: WebhookStatistics
  /** Name of the key that made it. */
  readonly createdByName: string | null
}

/** So many failures in a row, and a webhook counts as failing. */
const FAILING_FROM = 3

/** Newest first. */
export async function listWebhooks(ctx: SystemContext, scope: WebhookScope): Promise<readonly ListedWebhook[]> {
  return withStatistics(ctx, await selectWebhooks(ctx.services.db, scope))
}

export async function getWebhook(ctx: SystemContext, scope: WebhookScope, id: number): Promise<ListedWebhook> {
  const webhook = await findWebhook(ctx.services.db, scope, id)
  if (!webhook) throw unknownWebhook()
  const [listed] = await withStatistics(ctx, [webhook])
  if (!listed) throw unknownWebhook()
  return listed
}

async function withStatistics(ctx: SystemContext, rows: readonly WebhookRow[]): Promise<ListedWebhook[]> {
  const { db } = ctx.services
  const statistics = await selectStatistics(
    db,
    rows.map(({ id }) => id),
  )
  const names = await selectKeyNames(
    db,
    rows.map(({ createdBy }) => createdBy),
  )
  return rows.map((webhook) => ({
    webhook,
    statistics: statistics.get(webhook.id) ?? noStatistics,
    createdByName: names.get(webhook.createdBy) ?? null,
  }))
}

export function isFailing({ webhook, statistics }: ListedWebhook): boolean {
  return webhook.enabled && statistics.consecutiveFailures >= FAILING_FROM
}

/** Of those that arrived or were given up, how many arrived, 0..1; null if there were none. */
export function successRate({ delivered, dead }: { delivered: number; dead: number }): number | null {
  return delivered + dead === 0 ? null : delivered / (delivered + dead)
}

export interface WebhookHealth extends RecentCounts {
  readonly webhooks: readonly ListedWebhook[]
}

export async function getWebhookHealth(ctx: SystemContext, scope: WebhookScope): Promise<WebhookHealth> {
  const webhooks = await listWebhooks(ctx, scope)
  return { ...(await countRecent(ctx.services.db, scope)), webhooks }
}
