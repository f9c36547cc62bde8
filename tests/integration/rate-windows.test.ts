import { randomBytes } from 'node:crypto'
import { eq } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RateLimits } from '../../src/config/config.ts'
import { usageCounters } from '../../src/db/schema/usage-counters.ts'
import { addToWindows, deleteOldWindows } from '../../src/domain/usage/rate-queries.ts'
import { type RateScope, RateWindows } from '../../src/domain/usage/rate-windows.ts'
import { type Deployment, prepareDeployment, type Replica } from '../helpers/replicas.ts'

let deployment: Deployment
let replica: Replica
beforeAll(async () => {
  deployment = await prepareDeployment({})
  replica = await deployment.start()
})
afterAll(async () => {
  await replica?.close()
  await deployment?.close()
})

const none: RateLimits = { all: 0, proxy: 0, proxyInTenSeconds: 0, memoryReads: 0, memoryWrites: 0 }
/** A process of its own, as far as counting goes. */
const windows = (limits: Partial<RateLimits>) =>
  new RateWindows(replica.services.db, replica.services.log, { ...none, ...limits })
const someKey = () => `key_${randomBytes(8).toString('hex')}`
/** Windows end by the clock, so these are still to come. */
const start = Math.ceil((Date.now() + 86_400_000) / 60_000) * 60_000
const SECOND = 1_000

describe('a key', () => {
  it('gets through exactly what a limit allows, and again when the window is over', () => {
    const rates = windows({ memoryReads: 3 })
    const key = someKey()
    const at = (seconds: number) => rates.count(key, 'memory_read', start + seconds * SECOND)
    const resetAt = new Date(start + 60 * SECOND)
    expect(at(0)).toEqual({ isAllowed: true, limit: 3, remaining: 2, resetAt })
    expect(at(1)).toMatchObject({ isAllowed: true, remaining: 1 })
    expect(at(59.999)).toMatchObject({ isAllowed: true, remaining: 0 })
    expect(at(59.999)).toEqual({ isAllowed: false, limit: 3, remaining: 0, resetAt })
    expect(at(60)).toMatchObject({ isAllowed: true, remaining: 2 })
  })

  it('is told the limit that is nearest to its end, and of those the one that lasts longest', () => {
    const rates = windows({ all: 6, proxy: 5, proxyInTenSeconds: 2 })
    const key = someKey()
    const at = (seconds: number) => rates.count(key, 'llm_proxy', start + seconds * SECOND)
    expect(at(0)).toMatchObject({ limit: 2, remaining: 1, resetAt: new Date(start + 10 * SECOND) })
    expect(at(1)).toMatchObject({ limit: 2, remaining: 0 })
    expect(at(2)).toMatchObject({ isAllowed: false, limit: 2, resetAt: new Date(start + 10 * SECOND) })
    expect(at(10)).toMatchObject({ isAllowed: true, limit: 2, remaining: 1 })
    expect(at(11)).toMatchObject({ isAllowed: true, limit: 2, remaining: 0 })
    expect(at(20)).toMatchObject({ isAllowed: true, limit: 5, remaining: 0, resetAt: new Date(start + 60 * SECOND) })
    expect(at(21)).toMatchObject({ isAllowed: false, limit: 5 })
  })

  it('has limits of its own, and of each scope; those of all scopes count all', () => {
    const rates = windows({ all: 3, memoryReads: 2, memoryWrites: 2 })
    const [key, other] = [someKey(), someKey()]
    const count = (whose: string, scope: RateScope) => rates.count(whose, scope, start)?.isAllowed
    expect(count(key, 'memory_read')).toBe(true)
    expect(count(key, 'memory_read')).toBe(true)
    expect(count(key, 'memory_read')).toBe(false)
    expect(count(key, 'memory_write')).toBe(true)
    expect(count(key, 'memory_write')).toBe(false)
    expect(count(key, 'llm_proxy')).toBe(false)
    expect(count(other, 'memory_read')).toBe(true)
  })

  it('that is refused is counted in no window, and a request taken back is not counted either', () => {
    const rates = windows({ all: 3, memoryReads: 1 })
    const key = someKey()
    const count = (scope: RateScope) => rates.count(key, scope, start)
    count('memory_read')
    for (let refused = 0; refused < 5; refused++) expect(count('memory_read')?.isAllowed).toBe(false)
    expect(count('memory_write')).toMatchObject({ isAllowed: true, limit: 3, remaining: 1 })
    rates.takeBack(key, 'memory_write', start)
    expect(count('memory_write')).toMatchObject({ isAllowed: true, remaining: 1 })
  })

  it('has no limit where none is set', () => {
    expect(windows({ memoryReads: 1 }).count(someKey(), 'memory_write', start)).toBeUndefined()
  })
})

describe('replicas', () => {
  it('know of each other after they have shared, and count nothing twice', async () => {
    const [one, two] = [windows({ memoryReads: 10 }), windows({ memoryReads: 10 })]
    const key = someKey()
    const read = (rates: RateWindows) => rates.count(key, 'memory_read', start)
    for (let sent = 0; sent < 4; sent++) read(one)
    for (let sent = 0; sent < 3; sent++) read(two)
    await one.share()
    await two.share()
    expect(read(two)).toMatchObject({ remaining: 2 })
    await two.share()
    expect(read(one)).toMatchObject({ remaining: 5 })
    await one.share()
    expect(read(one)).toMatchObject({ remaining: 0 })
    expect(read(one)).toMatchObject({ isAllowed: false })
    await one.close()
    // Who has nothing to tell has not asked either.
    await two.share()
    expect(read(two)).toMatchObject({ isAllowed: true, remaining: 1 })
    await two.share()
    expect(read(two)).toMatchObject({ isAllowed: false })
  })

  it('share the sum, however their requests and exchanges fall', async () => {
    const steps = fc.array(fc.record({ who: fc.nat(2), does: fc.constantFrom('count', 'count', 'share') }), {
      maxLength: 60,
    })
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        const key = someKey()
        const all = [windows({ all: 1000 }), windows({ all: 1000 }), windows({ all: 1000 })]
        const sharing: Promise<void>[] = []
        for (const { who, does } of given) {
          if (does === 'count') all[who]?.count(key, 'memory_read', start)
          else sharing.push(all[who]?.share() ?? Promise.resolve())
        }
        await Promise.all(sharing)
        await Promise.all(all.map((rates) => rates.close()))
        const rows = await replica.services.db.select().from(usageCounters).where(eq(usageCounters.subject, key))
        const counted = given.filter(({ does }) => does === 'count').length
        expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(counted)
      }),
      { numRuns: 20 },
    )
  })

  it('go on counting while the database is away, and tell it afterwards', async () => {
    const { db, log } = replica.services
    let isAway = true
    const shaky = new Proxy(db, {
      get(target, name) {
        if (isAway && name === 'insert') throw new Error('away')
        return Reflect.get(target, name) as unknown
      },
    })
    const rates = new RateWindows(shaky, log, { ...none, memoryReads: 2 })
    const key = someKey()
    rates.count(key, 'memory_read', start)
    await rates.share()
    expect(rates.count(key, 'memory_read', start)).toMatchObject({ isAllowed: true, remaining: 0 })
    expect(rates.count(key, 'memory_read', start)).toMatchObject({ isAllowed: false })
    isAway = false
    await rates.close()
    const rows = await db.select().from(usageCounters).where(eq(usageCounters.subject, key))
    expect(rows).toMatchObject([{ metric: 'memory_read', period: 'rate_60s', count: 2 }])
  })
})

it('windows that are over are deleted, and usage that plans count is not', async () => {
  const { db } = replica.services
  const subject = someKey()
  const row = (metric: 'all', minutesAgo: number) => ({
    subject,
    metric,
    period: 'rate_60s' as const,
    startsAt: new Date(Date.now() - minutesAgo * 60_000),
    count: 1,
  })
  await addToWindows(db, [row('all', 0), row('all', 1), row('all', 3)])
  await db.insert(usageCounters).values({ ...row('all', 3), metric: 'requests', period: 'day' })
  await deleteOldWindows(db)
  const rows = await db.select().from(usageCounters).where(eq(usageCounters.subject, subject))
  expect(rows.map(({ period }) => period).toSorted()).toEqual(['day', 'rate_60s', 'rate_60s'])
})
