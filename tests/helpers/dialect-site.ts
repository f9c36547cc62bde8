import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Answer, call } from './client.ts'
import type { Deployment } from './deployments.ts'
import { TestApp } from './dialects.ts'
import { spawnGateway } from './process.ts'
import { startStubModel } from './stub-model.ts'

/** A key as the admin API shows it once. */
export interface IssuedKey {
  readonly key_id: string
  readonly api_key: string
  readonly number: number
}

/** A gateway process on a deployment, with plans and a chat model; its operator makes accounts and keys as any operator does. */
export interface DialectSite {
  readonly url: string
  /** An application with a key of an account of its own; `key`: what the admin API takes, and the account's `account_plan`. */
  newApp(key?: Record<string, unknown>): Promise<TestApp>
  /** Another key of an account. */
  newKey(accountId: string, key?: Record<string, unknown>): Promise<IssuedKey>
  /** A request to `/admin`. */
  operate(method: string, path: string, body?: Record<string, unknown>): Promise<Answer>
  close(): Promise<void>
}

const ADMIN_KEY = 'the-operators-own-key'

/** For what a client says of limits. */
const plans = {
  'one-request': { requests_per_month: 1 },
  none: { adds_per_month: 0, searches_per_month: 0 },
  hurried: { requests_per_minute: 0 },
}

export async function startDialectSite(deployment: Deployment): Promise<DialectSite> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-dialects-'))
  const { settings, drop } = await deployment.prepare(dir)
  const model = await startStubModel()
  const plansFile = join(dir, 'plans.json')
  writeFileSync(plansFile, JSON.stringify(plans))
  const gateway = await spawnGateway({
    ...settings,
    ...model.settings,
    GATEWAY_ADMIN_KEY: ADMIN_KEY,
    PLANS_FILE: plansFile,
    WEBHOOK_ALLOW_PRIVATE: 'true',
  })

  const operate = (method: string, path: string, body?: Record<string, unknown>) =>
    call(`${gateway.url}/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })

  async function create(path: string, body: Record<string, unknown>) {
    const answer = await operate('POST', path, body)
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  const newKey = (accountId: string, key = {}) =>
    create(`/accounts/${accountId}/keys`, { name: 'test', ...key }) as Promise<IssuedKey>
  return {
    url: gateway.url,
    operate,
    newKey,
    async newApp({ account_plan: plan, ...key } = {}) {
      const { account_id: id } = await create('/accounts', { name: 'test', ...(plan !== undefined && { plan }) })
      return new TestApp(gateway.url, (await newKey(id, key)).api_key, id)
    },
    async close() {
      await gateway.stop()
      await model.close()
      await drop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
