import { afterEach, expect, it } from 'vitest'
import { adminKeys } from '../../src/db/schema/admin-keys.ts'
import { ensureAdminKey } from '../../src/domain/accounts/admin-key.ts'
import { hashKey } from '../../src/domain/secret-key.ts'
import { meter } from '../../src/domain/usage/meter.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { type Deployment, prepareDeployment, type Replica } from '../helpers/replicas.ts'
import { makeAccount, serviceContextOf } from '../helpers/service.ts'

let deployment: Deployment | undefined
afterEach(async () => {
  await deployment?.close()
  deployment = undefined
})

const asGateway = (replica: Replica) => replica as unknown as TestGateway

it('of many gateways that need an admin key one makes it, and all know it', async () => {
  deployment = await prepareDeployment({})
  const replicas = [await deployment.start(), await deployment.start()]
  const [first] = replicas
  await first!.services.db.delete(adminKeys)
  const made = await Promise.all(
    Array.from({ length: 12 }, (_, index) => {
      const { services } = replicas[index % 2]!
      return ensureAdminKey({ services, requestId: 'start' })
    }),
  )
  const secrets = made.flatMap(({ secret }) => secret ?? [])
  expect(secrets).toEqual([expect.stringMatching(/^mga_/)])
  expect(new Set(made.map(({ hash }) => hash))).toEqual(new Set([hashKey(secrets[0] ?? '')]))
  const rows = await first!.services.db.select().from(adminKeys)
  expect(JSON.stringify(rows)).not.toContain(secrets[0])
  for (const replica of replicas) await replica.close()
})

it('a plan that is in use but not configured is named in the log, and allows nothing', async () => {
  const lines: string[] = []
  deployment = await prepareDeployment({}, (line) => void lines.push(line))
  const before = await deployment.start({ PLANS_FILE: 'docs/plans.example.json' })
  const { apiKey } = await makeAccount(asGateway(before), { plan: 'free' })
  await meter(await serviceContextOf(asGateway(before), apiKey), { requests: 1 })
  await before.close()
  const warnings = () => lines.filter((line) => line.includes('in use but not configured'))
  expect(warnings()).toEqual([])
  const after = await deployment.start()
  expect(warnings()).toHaveLength(1)
  expect(JSON.parse(warnings()[0] ?? '')).toMatchObject({ level: 40, plans: ['free'] })
  const ctx = await serviceContextOf(asGateway(after), apiKey)
  await expect(meter(ctx, { requests: 1 })).rejects.toMatchObject({
    code: 'unavailable',
    details: { plan: 'free' },
  })
  await after.close()
})

it('a folder without a model keeps the gateway from starting, and says which setting means it', async () => {
  deployment = await prepareDeployment({})
  await expect(deployment.start({ EMBEDDING_MODEL: '/nowhere/minilm' })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringMatching(/^EMBEDDING_MODEL: there is no model\.onnx in \/nowhere\/minilm/),
  })
})
