import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { call, createUser, type TestUser } from './client.ts'
import type { Deployment } from './deployments.ts'
import { TestApp } from './dialects.ts'
import { spawnGateway } from './process.ts'
import { type ScriptedModel, startScriptedModel } from './scripted-model.ts'

/** A gateway process on a deployment, with the scripted model in the place of every provider. */
export interface ChatSite {
  readonly url: string
  readonly model: ScriptedModel
  /** What the gateway has logged so far. */
  readonly log: readonly string[]
  /** An application with a key of an account of its own; `key`: what the admin API takes. */
  newApp(key?: Record<string, unknown>): Promise<TestApp>
  newUser(id?: string): Promise<TestUser>
  close(): Promise<void>
}

export const ADMIN_KEY = 'the-operators-own-key'

export async function startChatSite(deployment: Deployment): Promise<ChatSite> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-chat-'))
  const { settings, drop } = await deployment.prepare(dir)
  const model = await startScriptedModel()
  const gateway = await spawnGateway({ ...settings, ...model.settings, GATEWAY_ADMIN_KEY: ADMIN_KEY })
  const operator = { authorization: `Bearer ${ADMIN_KEY}` }

  async function create(path: string, body: Record<string, unknown>) {
    const headers = { ...operator, 'content-type': 'application/json' }
    const answer = await call(`${gateway.url}/admin${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  return {
    url: gateway.url,
    model,
    log: gateway.log,
    async newApp(key = {}) {
      const { account_id: id } = await create('/accounts', { name: 'test' })
      const { api_key: secret } = await create(`/accounts/${id}/keys`, { name: 'test', ...key })
      return new TestApp(gateway.url, secret, id)
    },
    newUser: (id) => createUser(gateway.url, id, operator),
    async close() {
      await gateway.stop()
      await model.close()
      await drop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
