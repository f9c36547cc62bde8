import { storeMemories } from '../../src/domain/memories/store-memories.ts'
import { type Answer, call } from './client.ts'
import type { TestGateway } from './gateway.ts'
import { endUserContext, makeAccount } from './service.ts'

/** Somebody who manages an account over MemorySync's routes. */
export class TestManager {
  readonly base: string
  readonly key: string
  readonly accountId: string

  constructor(base: string, key: string, accountId: string) {
    this.base = base
    this.key = key
    this.accountId = accountId
  }

  send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return call(this.base + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, undefined, headers)
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', path, body, headers)
  }

  /** The body of the answer: the webhook with its secret. */
  async webhook(url: string, events: readonly string[], more: Record<string, unknown> = {}) {
    const { status, body } = await this.post('/org/webhooks', { name: 'test', url, events, ...more })
    if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`)
    return body
  }
}

export async function makeManager(gateway: TestGateway, key: Record<string, unknown> = {}): Promise<TestManager> {
  const { accountId, apiKey } = await makeAccount(gateway, { scopes: ['admin'], ...key })
  return new TestManager(gateway.url, apiKey, accountId)
}

/** Stores one memory of an end user, and resolves with it. */
export async function remember(
  gateway: TestGateway,
  { key }: TestManager,
  content: string,
  {
    endUser = 'ada@example.com',
    projectId,
    ...more
  }: { endUser?: string; projectId?: string; [field: string]: unknown } = {},
) {
  const ctx = await endUserContext(gateway, key, endUser, projectId)
  const [stored] = await storeMemories(ctx, [{ memory: { content, ...more } }])
  if (!stored) throw new Error('nothing stored')
  return { ctx, memory: stored.memory }
}
