import { randomBytes } from 'node:crypto'
import { eq } from 'drizzle-orm'
import { attachments } from '../../src/db/schema/attachments.ts'
import { memories } from '../../src/db/schema/memories.ts'
import { messages } from '../../src/db/schema/messages.ts'
import { webhookDeliveries } from '../../src/db/schema/webhook-deliveries.ts'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { findThread } from '../../src/domain/threads/open-thread.ts'
import type { ThreadContext } from '../../src/domain/threads/thread-context.ts'
import { call } from './client.ts'
import type { TestGateway } from './gateway.ts'
import { makeAccount, systemContextOf } from './service.ts'
import { resourceContext, say } from './thread-client.ts'
import { said } from './threads.ts'

export interface NamedMemory {
  readonly id: string
  readonly number: number
}

/** What requests name of an account's. */
export interface DialectIds {
  readonly endUser: string
  readonly memory: NamedMemory
  /** One that may go. */
  readonly spare: NamedMemory
  readonly upload: NamedMemory & { readonly file: string }
  readonly session: string
  readonly turn: string
  readonly spareTurn: string
  readonly namespace: readonly string[]
  readonly state: string
  readonly spareState: string
  readonly webhook: number
  readonly delivery: number
  /** A key that may be revoked. */
  readonly key: NamedMemory
  /** One that is empty. */
  readonly project: string
  readonly thread: string
  readonly threadFile: string
  readonly spareThread: string
}

/** An account with one of everything that the dialects keep, and words that nobody else may see. */
export interface DialectOwner {
  readonly accountId: string
  /** May do all, in all projects of the account. */
  readonly apiKey: string
  /** Works in the project alone, and may do all there. */
  readonly projectKey: string
  readonly project: string
  readonly ids: DialectIds
  /** In every text of theirs. */
  readonly mark: string
  readonly secrets: readonly string[]
}

export const wordless = (): string => `w${randomBytes(6).toString('hex')}`

export interface OwnerOptions {
  readonly account?: { readonly accountId: string; readonly apiKey: string }
  readonly project?: string
  readonly endUser?: string
  readonly hookUrl?: string
}

/** `base`: where the gateway is asked. */
export async function makeDialectOwner(
  gateway: TestGateway,
  base: string,
  options: OwnerOptions = {},
): Promise<DialectOwner> {
  const { project = 'demo', endUser = 'ada@example.com', hookUrl = 'https://hooks.example.com/in' } = options
  const mark = `zq${randomBytes(8).toString('hex')}`
  const ctx = systemContextOf(gateway)
  const account = options.account ?? (await makeAccount(gateway, { scopes: ['admin'] }))
  const makeKey = (more: object) =>
    createApiKey(ctx, account.accountId, { name: `key ${mark}`, scopes: ['admin'], ...more })
  const projectKey = await makeKey({ project_id: project })
  const spareKey = await makeKey({ project_id: project })
  const ask = asOwner(base, { 'x-api-key': projectKey.secret, 'x-end-user-id': endUser })
  const at = `of the harbour lighthouse ${mark}`
  const hook = await ask('POST', '/org/webhooks', {
    name: `hook ${mark}`,
    url: `${hookUrl}/${mark}`,
    events: ['memory.created', 'memory.updated', 'memory.deleted', 'memory.queried'],
    // Nobody answers there: to try again and again would be most of what a test's database does.
    ...(options.hookUrl === undefined && { retry_config: { enabled: false } }),
  })
  const add = async (text: string) => {
    const { id } = await ask('POST', '/memory/add', { text, tags: [mark], metadata: { note: mark }, source: mark })
    return namedMemory(gateway, id)
  }
  const memory = await add(`The keeper ${at} keeps bees`)
  const spare = await add(`The grandmother ${at} was born in Porto`)
  const form = new FormData()
  form.set('file', new Blob([`The tides table ${at} hangs on the wall`]), `${mark}.txt`)
  const uploaded = await ask('POST', '/memory/upload', form)
  const session = `session ${wordless()}`
  const v1 = { tenant_id: 'acme', user_id: endUser }
  const { items } = await ask('POST', '/v1/history/append', {
    ...v1,
    session_id: session,
    extract: false,
    turns: ['first', 'second'].map((nth) => ({ role: 'user', content: `The ${nth} turn ${at}` })),
  })
  const namespace = [`space ${wordless()}`]
  for (const key of ['kept', 'spare']) {
    await ask('POST', '/v1/state/put', { ...v1, namespace, key, value: { note: `The state ${at}` } })
  }
  const emptied = await asOwner(base, { 'x-api-key': account.apiKey })('POST', '/org/projects', {
    name: `project ${mark}`,
  })
  const [delivery] = await gateway.services.db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(eq(webhookDeliveries.webhookId, hook.id))
  const thread = await makeThread(await resourceContext(gateway, projectKey.secret, endUser, project), mark)
  await ask('PUT', '/memory/ontology', { content_types: [`type-${mark}`], relation_types: [`relation-${mark}`] })
  return {
    accountId: account.accountId,
    apiKey: account.apiKey,
    projectKey: projectKey.secret,
    project,
    mark,
    secrets: [mark, account.apiKey, projectKey.secret, spareKey.secret, hook.secret],
    ids: {
      endUser,
      memory,
      spare,
      upload: { ...(await namedMemory(gateway, uploaded.id)), file: uploaded.attachments[0].id },
      session,
      turn: items[0].id,
      spareTurn: items[1].id,
      namespace,
      state: 'kept',
      spareState: 'spare',
      webhook: hook.id,
      delivery: delivery?.id ?? 0,
      key: { id: spareKey.id, number: spareKey.number },
      project: emptied.id,
      ...thread,
    },
  }
}

/** A thread with a file, and one that may go. */
export async function makeThread(ctx: ThreadContext, mark: string) {
  const at = `of the harbour lighthouse ${mark}`
  const [thread, spareThread] = [`thread ${wordless()}`, `thread ${wordless()}`]
  const base64 = Buffer.from(`The manual ${at} is thick`).toString('base64')
  const file = { type: 'file', kind: 'doc', base64, name: `${mark}.txt` } as const
  const turn = { role: 'user', parts: [{ type: 'text', text: `The lamp ${at} is green` }, file] } as const
  const row = await say(ctx, thread, [turn])
  await say(ctx, spareThread, [said('user', `The bell ${at} is loud`)])
  const { db } = ctx.services
  const { sessionId } = await findThread(ctx, row.externalId)
  const [found] = await db
    .select({ id: attachments.id })
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .where(eq(messages.sessionId, sessionId ?? ''))
  return { thread, spareThread, threadFile: found?.id ?? '' }
}

function asOwner(base: string, headers: Readonly<Record<string, string>>) {
  return async (method: string, path: string, body: object) => {
    const isForm = body instanceof FormData
    const answer = await call(base + path, {
      method,
      headers: { ...headers, ...(!isForm && { 'content-type': 'application/json' }) },
      body: isForm ? body : JSON.stringify(body),
    })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
}

/** The memory of this number. */
export async function namedMemory({ services: { db } }: TestGateway, number: number): Promise<NamedMemory> {
  const [row] = await db.select({ id: memories.id }).from(memories).where(eq(memories.number, number))
  if (!row) throw new Error(`There is no memory ${number}.`)
  return { id: row.id, number }
}

/** Names as the gateway gives them, of nothing that exists. */
export function unknownDialectIds(endUser: string): DialectIds {
  const number = 2 ** 52 + Math.floor(Math.random() * 2 ** 20)
  const memory = { id: '00000000-0000-4000-8000-000000000000', number }
  return {
    endUser,
    memory,
    spare: { ...memory, number: number + 1 },
    upload: { id: memory.id, number: number + 2, file: `att_${wordless()}` },
    session: wordless(),
    turn: `h_${number}`,
    spareTurn: `h_${number}`,
    namespace: [wordless()],
    state: 'kept',
    spareState: 'spare',
    webhook: number,
    delivery: number,
    key: { id: `key_${wordless()}`, number },
    project: `prj_${wordless()}`,
    thread: `thread ${wordless()}`,
    threadFile: `att_${wordless()}`,
    spareThread: `thread ${wordless()}`,
  }
}
