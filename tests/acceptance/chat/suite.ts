import { randomUUID } from 'node:crypto'
import type { ChatSite } from '../../helpers/chat-site.ts'
import type { Deployment } from '../../helpers/deployments.ts'
import type { TestApp } from '../../helpers/dialects.ts'
import type { ScriptedModel } from '../../helpers/scripted-model.ts'

/** `model`: no gateway between; `proxy`: through it without a thread; `thread`: through it, with memory. */
export type Mode = 'model' | 'proxy' | 'thread'

/** What a client is given: a base URL, a key, and headers, which are the one thing that memory asks of it. */
export interface Caller {
  /** With `/v1`. */
  readonly baseUrl: string
  readonly origin: string
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
}

/** What the tests of a client in one mode share. */
export interface ClientSuite {
  readonly mode: Mode
  readonly model: () => ScriptedModel
  /** Name of the model, as a request names that of a provider. */
  modelOf(provider: 'openai' | 'anthropic' | 'own'): string
  /** Where the mode has threads, with a new one. */
  newCaller(): Caller
}

export interface GatewaySuite {
  readonly deployment: Deployment
  readonly site: () => ChatSite
  /** An application whose threads and resources the tests share. */
  readonly app: () => TestApp
}

export function newThreadHeaders(resource = `user-${randomUUID()}`): Record<string, string> {
  return { 'x-thread-id': `thread-${randomUUID()}`, 'x-resource-id': resource }
}

/** A client's tests through the gateway. */
export function throughGateway({ site, app }: Omit<GatewaySuite, 'deployment'>, mode: 'proxy' | 'thread'): ClientSuite {
  return {
    mode,
    model: () => site().model,
    modelOf: (provider) => `${provider}/test-model`,
    newCaller: () => ({
      baseUrl: `${site().url}/v1`,
      origin: site().url,
      key: app().key,
      headers: mode === 'thread' ? newThreadHeaders() : {},
    }),
  }
}

/** The same tests with nothing between the client and the scripted model: what holds here is due to it. */
export function withoutGateway(model: () => ScriptedModel): ClientSuite {
  return {
    mode: 'model',
    model,
    modelOf: () => 'test-model',
    newCaller: () => {
      const { baseUrl } = model()
      return { baseUrl, origin: new URL(baseUrl).origin, key: 'no-key-is-asked-for', headers: {} }
    },
  }
}
