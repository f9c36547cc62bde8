import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { DomainServices } from '../../src/domain/context.ts'
import type { ChatPart, ChatTurn } from '../../src/domain/threads/chat-turn.ts'
import { beginExchange } from '../../src/domain/threads/exchange.ts'
import { listThreadMessages } from '../../src/domain/threads/list-thread-messages.ts'
import { findThread, openThread } from '../../src/domain/threads/open-thread.ts'
import type { ThreadContext, ThreadRow } from '../../src/domain/threads/thread-context.ts'
import type { TestGateway } from './gateway.ts'
import { endUserContext, makeAccount, serviceContextOf } from './service.ts'

/** Requests of one application with a key of its own, for any of its resources. */
export async function makeApplication(gateway: TestGateway) {
  const { apiKey } = await makeAccount(gateway)
  const { service } = await serviceContextOf(gateway, apiKey)
  const realm = `project:${service.accountId}:${service.projectId}`
  return {
    apiKey,
    realm: async () => ({ ...(await serviceContextOf(gateway, apiKey)), realm }),
    as: async (resource: string): Promise<ThreadContext> => ({
      ...(await endUserContext(gateway, apiKey, resource)),
      realm,
    }),
  }
}

/** A request of a resource that has nothing yet, of an application that has no other. */
export async function newResource(gateway: TestGateway): Promise<ThreadContext> {
  return (await makeApplication(gateway)).as(`resource-${randomBytes(4).toString('hex')}`)
}

export function newThread(ctx: ThreadContext): Promise<ThreadRow> {
  return openThread(ctx, randomUUID())
}

/** The same request, with some services in place of its own. */
export function withServices(ctx: ThreadContext, services: Partial<DomainServices>): ThreadContext {
  return { ...ctx, services: { ...ctx.services, ...services } }
}

export function said(role: ChatTurn['role'], ...parts: readonly (string | ChatPart)[]): ChatTurn {
  return { role, parts: parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)) }
}

export function inlineFile(bytes: Uint8Array, name?: string, kind: 'image' | 'audio' | 'doc' = 'image'): ChatPart {
  return { type: 'file', kind, base64: Buffer.from(bytes).toString('base64'), ...(name !== undefined && { name }) }
}

/** Says something in a thread, and stores it with the answer. */
export async function exchange(
  ctx: ThreadContext,
  thread: ThreadRow,
  turns: readonly ChatTurn[],
  answer: ChatTurn | undefined = said('assistant', 'Fine.'),
): Promise<void> {
  await beginExchange(ctx, thread, turns).finish(answer, { model: 'test/model', finish_reason: 'stop' })
}

/** All of a thread, the oldest first: its roles and texts, and the files of each message. */
export async function contentOf(ctx: ThreadContext, { externalId }: Pick<ThreadRow, 'externalId'>) {
  const page = { limit: 200, offset: 0, order: 'asc' } as const
  const { messages, attachments } = await listThreadMessages(ctx, await findThread(ctx, externalId), page)
  return messages.map(({ role, content }) => ({
    role,
    text: content.flatMap((item) => ('text' in item ? [item.text] : [])).join(''),
    files: content.flatMap((item) => ('attachment_id' in item ? [attachments.get(item.attachment_id)?.name] : [])),
  }))
}

/** Files of a user, and which of their objects the store has. */
export async function objectsOf({ services: { db, objectStore }, caller }: ThreadContext) {
  const rows = await db
    .select({ state: sql<string>`state`, key: sql<string>`object_key` })
    .from(sql`attachments`)
    .where(sql`user_id = ${caller.userId}`)
  const keys = [...new Set(rows.map(({ key }) => key))]
  const heads = await Promise.all(keys.map((key) => objectStore.head(key)))
  return { files: rows.length, keys, missing: keys.filter((_, index) => !heads[index]) }
}
