import { and, asc, desc, eq, inArray, isNull, or, type SQL, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { accounts } from '../../db/schema/accounts.ts'
import { apiKeys } from '../../db/schema/api-keys.ts'
import { webhooks } from '../../db/schema/webhooks.ts'
import type { EventPlace } from './emit-event.ts'
import type { EventType } from './schemas.ts'

export type WebhookRow = typeof webhooks.$inferSelect
export type NewWebhookRow = typeof webhooks.$inferInsert

/** Whose webhooks: an account's, or only those of one of its projects. */
export interface WebhookScope {
  readonly accountId: string
  readonly projectId?: string | undefined
}

export function inWebhookScope(scope: WebhookScope): SQL | undefined {
  return and(
    eq(webhooks.accountId, scope.accountId),
    scope.projectId === undefined ? undefined : eq(webhooks.projectId, scope.projectId),
  )
}

/**
 * The enabled webhooks that hear of what happens there, held until the transaction ends: one that is being deleted is waited for, and left
 * out, so that it cannot take the transaction with it. A webhook of one project hears of nothing else.
 */
export async function lockHearers(
  tx: Database,
  { accountId, projectId }: EventPlace,
): Promise<Pick<WebhookRow, 'id' | 'events'>[]> {
  return tx
    .select({ id: webhooks.id, events: webhooks.events })
    .from(webhooks)
    .where(
      and(
        eq(webhooks.accountId, accountId),
        eq(webhooks.enabled, true),
        projectId === null
          ? isNull(webhooks.projectId)
          : or(isNull(webhooks.projectId), eq(webhooks.projectId, projectId)),
      ),
    )
    .orderBy(asc(webhooks.id))
    .for('key share')
}

const eventsHeard = preparedOn((db) =>
  db
    .select({ id: webhooks.id, events: webhooks.events })
    .from(webhooks)
    .where(
      and(
        eq(webhooks.accountId, sql.placeholder('accountId')),
        eq(webhooks.enabled, true),
        or(isNull(webhooks.projectId), eq(webhooks.projectId, sql.placeholder('projectId'))),
      ),
    )
    .prepare('webhook_hearers'),
)

/** Those that hear of such an event in a project, held by nobody: for what has no transaction yet, and needs none if there are none. */
export async function findHearers(
  db: Database,
  place: { readonly accountId: string; readonly projectId: string },
  event: EventType,
): Promise<number[]> {
  const { accountId, projectId } = place
  const rows = await eventsHeard(db).execute({ accountId, projectId })
  return rows.filter(({ events }) => events.includes(event)).map(({ id }) => id)
}

/** How many the account has; held until the transaction ends, so that two counts come one after the other. */
export async function countWebhooks(tx: Database, accountId: string): Promise<number> {
  await tx.select({ id: accounts.id }).from(accounts).where(eq(accounts.id, accountId)).for('no key update')
  return tx.$count(webhooks, eq(webhooks.accountId, accountId))
}

export async function insertWebhook(tx: Database, row: NewWebhookRow): Promise<WebhookRow> {
  const [inserted] = await tx.insert(webhooks).values(row).returning()
  if (!inserted) throw new Error('The webhook was not inserted.')
  return inserted
}

/** Newest first. */
export function selectWebhooks(db: Database, scope: WebhookScope): Promise<WebhookRow[]> {
  return db.select().from(webhooks).where(inWebhookScope(scope)).orderBy(desc(webhooks.id))
}

export async function findWebhook(db: Database, scope: WebhookScope, id: number): Promise<WebhookRow | undefined> {
  const [row] = await db
    .select()
    .from(webhooks)
    .where(and(inWebhookScope(scope), eq(webhooks.id, id)))
  return row
}

/** Changes to it come one after the other until the transaction ends; events do not wait. */
export async function lockWebhook(tx: Database, scope: WebhookScope, id: number): Promise<WebhookRow | undefined> {
  const [row] = await tx
    .select()
    .from(webhooks)
    .where(and(inWebhookScope(scope), eq(webhooks.id, id)))
    .for('no key update')
  return row
}

export async function updateWebhookRow(
  tx: Database,
  scope: WebhookScope,
  id: number,
  change: Partial<NewWebhookRow>,
): Promise<WebhookRow> {
  const [row] = await tx
    .update(webhooks)
    .set({ ...change, updatedAt: sql`now()` })
    .where(and(inWebhookScope(scope), eq(webhooks.id, id)))
    .returning()
  if (!row) throw new Error('A locked webhook is gone.')
  return row
}

/** With its deliveries. False if there is none. */
export async function deleteWebhookRow(tx: Database, scope: WebhookScope, id: number): Promise<boolean> {
  const rows = await tx
    .delete(webhooks)
    .where(and(inWebhookScope(scope), eq(webhooks.id, id)))
    .returning({ id: webhooks.id })
  return rows.length > 0
}

/** Names of the keys that made webhooks, by their ids. */
export async function selectKeyNames(db: Database, keyIds: readonly string[]): Promise<Map<string, string>> {
  const ids = [...new Set(keyIds)]
  if (ids.length === 0) return new Map()
  const rows = await db.select({ id: apiKeys.id, name: apiKeys.name }).from(apiKeys).where(inArray(apiKeys.id, ids))
  return new Map(rows.map(({ id, name }) => [id, name]))
}
