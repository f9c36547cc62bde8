import type { Config } from '../../src/config/config.ts'
import { AdminError, type Json, type Operator, type Page } from './operator.ts'

const HEALTH_MS = 5_000
const CALL_MS = 60_000
/** Nobody listens there, or there is no such place: no gateway runs. */
const NOT_THERE = new Set(['ECONNREFUSED', 'EADDRNOTAVAIL', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND'])

/** Where the gateway with these settings listens, as seen from its own machine; undefined if that cannot be known. */
export function addressOf({ host, port }: Config): string | undefined {
  if (port === 0) return undefined
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

/** Whether a gateway answers there. Throws if what answers is none, or if something is there that does not answer. */
export async function isRunning(base: string): Promise<boolean> {
  let health: { api?: { status?: string } } | undefined
  try {
    const response = await fetch(`${base}/health`, { redirect: 'error', signal: AbortSignal.timeout(HEALTH_MS) })
    health = (await response.json().catch(() => undefined)) as typeof health
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined
    if (NOT_THERE.has(cause?.code ?? '')) return false
    throw new AdminError(`What listens at ${base} does not answer. Is HOST and PORT the gateway's address?`)
  }
  if (health?.api?.status === 'ok') return true
  throw new AdminError(`What answers at ${base} is no gateway. Set HOST and PORT to the gateway's address.`)
}

/** The commands on a running gateway. */
export function operateOverHttp(base: string, adminKey: string | undefined): Operator {
  if (adminKey === undefined) {
    throw new AdminError(
      `A gateway runs at ${base}. Set GATEWAY_ADMIN_KEY in the environment to its admin key${WHICH_KEY}`,
    )
  }
  const account = (id: string) => `/admin/accounts/${encodeURIComponent(id)}`
  const key = (id: string, keyId: string) => `${account(id)}/keys/${encodeURIComponent(keyId)}`
  const call = (method: string, path: string, body?: Json) => callGateway(base, adminKey, method, path, body)
  const page = (path: string, query: Record<string, string | undefined>) =>
    call('GET', `${path}?${queryText(query)}`) as Promise<Page>
  return {
    createAccount: (input) => call('POST', '/admin/accounts', input),
    listAccounts: (query) => page('/admin/accounts', query),
    getUsage: (id, query) => page(`${account(id)}/usage`, query),
    createKey: (id, input) => call('POST', `${account(id)}/keys`, input),
    listKeys: (id, query) => page(`${account(id)}/keys`, query),
    rotateKey: (id, keyId, input) => call('POST', `${key(id, keyId)}/rotate`, input),
    revokeKey: async (id, keyId) => void (await call('DELETE', key(id, keyId))),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

const WHICH_KEY =
  ': the one of its own settings, or, if it has none, the one (mga_…) that it printed at its first start. ' +
  'If that one is lost: stop the gateway, run `npm run -s admin -- admin-key new`, and start it again.'

async function callGateway(base: string, adminKey: string, method: string, path: string, body?: Json): Promise<Json> {
  const response = await fetch(base + path, {
    method,
    headers: {
      authorization: `Bearer ${adminKey}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(CALL_MS),
  }).catch((error: unknown) => {
    throw new AdminError(
      `The gateway at ${base} broke off (${error instanceof Error ? error.message : String(error)}).`,
    )
  })
  const answer = (await response.json().catch(() => ({}))) as Json & { error?: { message?: string } }
  if (response.ok) return answer
  if (response.status === 401) {
    throw new AdminError(
      `GATEWAY_ADMIN_KEY is not the admin key of the gateway at ${base}. Set it to that key${WHICH_KEY}`,
    )
  }
  throw new AdminError(answer.error?.message ?? `The gateway at ${base} answered ${response.status}.`)
}

function queryText(query: Record<string, string | undefined>): string {
  return new URLSearchParams(
    Object.entries(query).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])),
  ).toString()
}
