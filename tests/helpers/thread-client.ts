import { and, eq, isNull } from 'drizzle-orm'
import { users } from '../../src/db/schema/users.ts'
import type { ChatTurn } from '../../src/domain/threads/chat-turn.ts'
import { beginExchange } from '../../src/domain/threads/exchange.ts'
import { openThread } from '../../src/domain/threads/open-thread.ts'
import type { ThreadContext, ThreadRow } from '../../src/domain/threads/thread-context.ts'
import { type Answer, call } from './client.ts'
import type { TestGateway } from './gateway.ts'
import { endUserContext } from './service.ts'

/** How an application asks about threads. */
export interface ThreadSender {
  readonly base: string
  readonly key: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A request under `/v1/memory/threads`. */
export function askThreads(
  { base, key, headers }: ThreadSender,
  method: string,
  path = '',
  body?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return call(`${base}/v1/memory/threads${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
      ...more,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** The request of an account's key for one resource, straight in the domain. */
export async function resourceContext(
  gateway: TestGateway,
  apiKey: string,
  resourceId: string,
  projectId?: string,
): Promise<ThreadContext> {
  const ctx = await endUserContext(gateway, apiKey, resourceId, projectId)
  return { ...ctx, realm: `project:${ctx.service.accountId}:${ctx.service.projectId}` }
}

/** The same of a native user's own key. */
export async function nativeContext(gateway: TestGateway, userName: string): Promise<ThreadContext> {
  const { services } = gateway
  const [user] = await services.db
    .select()
    .from(users)
    .where(and(eq(users.externalId, userName), eq(users.kind, 'native'), isNull(users.erasedAt)))
  if (!user) throw new Error(`There is no user ${userName}.`)
  const caller = { accountId: 'default', userId: user.id, externalUserId: userName, keyId: 'key' }
  return {
    services,
    requestId: 'test',
    log: services.log,
    signal: new AbortController().signal,
    turn: { [Symbol.dispose]() {} },
    caller,
    realm: `user:${user.id}`,
    service: {
      accountId: 'default',
      projectId: 'default',
      isProjectLocked: false,
      keyId: 'key',
      scopes: ['read', 'write'],
      accountPlan: null,
      keyPlan: null,
    },
  }
}

/** Stores an exchange as the chat proxy does. */
export async function say(
  ctx: ThreadContext,
  threadId: string,
  turns: readonly ChatTurn[],
  answer?: ChatTurn,
): Promise<ThreadRow> {
  const thread = await openThread(ctx, threadId)
  await beginExchange(ctx, thread, turns).finish(answer, { model: 'test/model', finish_reason: 'stop' })
  return thread
}
