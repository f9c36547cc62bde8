import { beforeAll, describe, expect, it } from 'vitest'
import { runAutoMaintenance } from '../../src/domain/maintenance/run-auto-maintenance.ts'
import { makeApp, type TestApp } from '../helpers/dialects.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { systemContextOf } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const day = 86_400_000
const run = (at: number) => runAutoMaintenance(systemContextOf(gateway), new Date(at))
const config = async (app: TestApp) => (await app.get('/api/v1/auto-maintenance/config')).body.config
const count = async (app: TestApp) => (await app.get('/api/v1/memories?limit=100')).body.count

async function set(app: TestApp, changes: object): Promise<object> {
  const { status, body } = await app.post('/api/v1/auto-maintenance/config', changes)
  expect([status, body.success]).toEqual([200, true])
  return body.config
}

async function put(app: TestApp, contents: readonly string[]): Promise<void> {
  const memories = contents.map((content) => ({ content }))
  expect((await app.post('/api/v1/memories/import', { memories })).status).toBe(200)
}

const same = ['User prefers dark mode', 'The user prefers dark mode.']

describe('auto-maintenance', () => {
  it('is off, and does nothing, until it is turned on', async () => {
    const app = await makeApp(gateway)
    expect(await config(app)).toEqual({
      consolidation_enabled: false,
      consolidation_frequency: 'weekly',
      consolidation_last_run_at: null,
      reflection_enabled: false,
      reflection_frequency: 'weekly',
      reflection_last_run_at: null,
    })
    await put(app, same)
    await run(Date.now())
    expect(await count(app)).toBe(2)
  })

  it('changes what is given alone', async () => {
    const app = await makeApp(gateway)
    await set(app, { consolidation_frequency: 'monthly' })
    await Promise.all([set(app, { reflection_enabled: true }), set(app, { consolidation_enabled: true })])
    await set(app, { reflection_enabled: false, consolidation_enabled: null })
    expect(await config(app)).toMatchObject({
      consolidation_enabled: true,
      consolidation_frequency: 'monthly',
      reflection_enabled: false,
      reflection_frequency: 'weekly',
    })
  })

  it('consolidates as often as it is told to', async () => {
    const [app, other] = [await makeApp(gateway), await makeApp(gateway)]
    await put(app, same)
    await put(other, same)
    await set(app, { consolidation_enabled: true, consolidation_frequency: 'daily' })
    const start = Date.now()
    await run(start)
    expect([await count(app), await count(other)]).toEqual([1, 2])
    expect(await config(app)).toMatchObject({ consolidation_last_run_at: new Date(start).toISOString() })
    await put(app, [same[0] ?? ''])
    await run(start + day - 1)
    expect(await count(app)).toBe(2)
    await run(start + day)
    expect(await count(app)).toBe(1)
    await set(app, { consolidation_enabled: false })
    await put(app, [same[0] ?? ''])
    await run(start + 40 * day)
    expect(await count(app)).toBe(2)
  })

  it('reflects on what is new in its period', async () => {
    const app = await makeApp(gateway)
    await put(
      app,
      ['Lisbon', 'Porto', 'Faro'].map((place) => `Wants a quiet hotel room in ${place}`),
    )
    await set(app, { reflection_enabled: true })
    const start = Date.now()
    await run(start)
    expect(await count(app)).toBe(4)
    await run(start + 7 * day)
    expect(await count(app)).toBe(4)
  })

  it('of one project fails alone, and is tried again', async () => {
    const [broken, app] = [await makeApp(gateway), await makeApp(gateway)]
    await put(app, same)
    for (const one of [broken, app]) await set(one, { consolidation_enabled: true })
    const ctx = systemContextOf(gateway)
    const db = new Proxy(ctx.services.db, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver)
        if (name !== 'transaction') return value
        return (work: (tx: unknown) => Promise<unknown>) => {
          if (isFirst) {
            isFirst = false
            throw new Error('broken')
          }
          return (value as (work: unknown) => unknown).call(target, work)
        }
      },
    })
    let isFirst = true
    const done = await runAutoMaintenance({ ...ctx, services: { ...ctx.services, db } })
    expect(isFirst).toBe(false)
    expect(done).toBeGreaterThan(0)
    await run(Date.now())
    expect(await count(app)).toBe(1)
    expect((await config(broken)).consolidation_last_run_at).not.toBeNull()
  })
})
