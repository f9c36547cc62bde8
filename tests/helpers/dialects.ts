import type { ModelProvider } from '../../src/ports/model-provider.ts'
import { type Answer, call, TestUser } from './client.ts'
import { serve, type TestGateway } from './gateway.ts'
import { makeAccount } from './service.ts'

/** An application with a key of an account of its own. */
export class TestApp extends TestUser {
  readonly accountId: string

  constructor(base: string, key: string, accountId: string) {
    super(base, '', key)
    this.accountId = accountId
  }
}

export async function makeApp(gateway: TestGateway, key: Record<string, unknown> = {}): Promise<TestApp> {
  const { apiKey, accountId } = await makeAccount(gateway, key)
  return new TestApp(gateway.url, apiKey, accountId)
}

/** The shared gateway's services behind a server of their own, with a chat model that says what it is told to. */
export async function serveWithModel({ services }: TestGateway, reply: (prompt: string) => string) {
  const chatModel: ModelProvider = {
    model: 'test',
    complete: ({ messages }) => {
      const text = reply(messages.map(({ content }) => content).join('\n'))
      return Promise.resolve({ text, tokens: { input: 10, output: 5 } })
    },
    close: () => Promise.resolve(),
  }
  return serve({ ...services, chatModel })
}

/** A request as a dialect's table of routes has it. */
export interface DialectRequest {
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

/** Sends it with the key, or without one. */
export function send(base: string, request: DialectRequest, key?: string, path = request.path): Promise<Answer> {
  return call(base + path, {
    method: request.method,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(request.body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
  })
}

/** The same path with a slash at its end, or without the one that it has. */
export function otherSlash(path: string): string {
  const [route = '', query] = path.split('?')
  const other = route.endsWith('/') ? route.slice(0, -1) : `${route}/`
  return query === undefined ? other : `${other}?${query}`
}

/** Puts a plan among those of the gateway, under a name of its own. */
export function addPlan({ services }: TestGateway, name: string, plan: Record<string, number>): string {
  ;(services.plans as Map<string, Record<string, number>>).set(name, plan)
  return name
}
