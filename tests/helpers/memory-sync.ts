import type { TestGateway } from './gateway.ts'
import { makeAccount } from './service.ts'

// What a test may look into without types: the answers of another API.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any

export interface SyncAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Json
}

export interface SyncCaller {
  readonly apiKey: string
  readonly accountId: string
  readonly headers: Readonly<Record<string, string>>
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<SyncAnswer>
  /** Adds a memory and returns it. */
  add(text: string, more?: object): Promise<Json>
  /** The same key, for another end user. */
  as(endUser: string): SyncCaller
}

export function callerWith(
  gateway: TestGateway,
  account: { apiKey: string; accountId: string },
  headers: Readonly<Record<string, string>>,
): SyncCaller {
  const caller: SyncCaller = {
    ...account,
    headers,
    call: (method, path, body, more = {}) => callSync(gateway, method, path, body, { ...headers, ...more }),
    async add(text, more = {}) {
      const answer = await caller.call('POST', '/memory/add', { text, ...more })
      if (answer.status !== 201) throw new Error(`not added: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    },
    as: (endUser) => callerWith(gateway, account, { ...headers, 'X-End-User-ID': endUser }),
  }
  return caller
}

/** An account with a key, in a project, for one end user. */
export async function makeSyncCaller(gateway: TestGateway, key: Record<string, unknown> = {}): Promise<SyncCaller> {
  const account = await makeAccount(gateway, key)
  return callerWith(gateway, account, {
    'X-API-Key': account.apiKey,
    'X-Project-ID': 'demo',
    'X-End-User-ID': 'demo-user-001',
  })
}

/** Any body that is no FormData goes out as JSON; a header that is empty is left out. */
export async function callSync(
  gateway: TestGateway,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<SyncAnswer> {
  const isForm = body instanceof FormData
  const response = await fetch(`${gateway.url}${path}`, {
    method,
    headers: {
      ...(body !== undefined && !isForm && { 'Content-Type': 'application/json' }),
      ...Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== '')),
    },
    ...(body !== undefined && { body: isForm ? body : typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text }
}
