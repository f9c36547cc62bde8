import { type Answer, call } from './client.ts'
import type { TestGateway } from './gateway.ts'
import { makeAccount } from './service.ts'

/** An application that speaks MemorySync's v1 API for one end user, as the vendor's client sends it. */
export class V1Caller {
  readonly base: string
  readonly apiKey: string
  readonly user: string

  constructor(base: string, apiKey: string, user = 'ada@example.com') {
    this.base = base
    this.apiKey = apiKey
    this.user = user
  }

  as(user: string): V1Caller {
    return new V1Caller(this.base, this.apiKey, user)
  }

  post(path: string, body: object = {}, headers: Record<string, string> = {}): Promise<Answer> {
    return call(this.base + path, {
      method: 'POST',
      headers: { 'x-api-key': this.apiKey, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ tenant_id: 'acme', user_id: this.user, ...body }),
    })
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return call(this.base + path, { headers: { 'x-api-key': this.apiKey, ...headers } })
  }

  /** The texts of the user's memories, newest first. */
  async memories(): Promise<string[]> {
    const { body } = await this.get(`/v1/memory/acme/${encodeURIComponent(this.user)}/list`)
    return body.memories.map(({ text }: { text: string }) => text)
  }
}

/** An application with an account of its own, whose key is bound to a project. */
export async function v1Caller(gateway: TestGateway, key: Record<string, unknown> = {}): Promise<V1Caller> {
  const { apiKey } = await makeAccount(gateway, { project_id: 'default', ...key })
  return new V1Caller(gateway.url, apiKey)
}
