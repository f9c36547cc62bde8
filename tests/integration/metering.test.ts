import { and, eq, inArray } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { usageCounters } from '../../src/db/schema/usage-counters.ts'
import type { Plan } from '../../src/domain/context.ts'
import { type Metric, meter } from '../../src/domain/usage/meter.ts'
import { deleteOldMinutes } from '../../src/domain/usage/queries.ts'
import { meteredContext, tryMeter, type Uses, wasRefused } from '../helpers/metering.ts'
import { type Deployment, prepareDeployment, type Replica } from '../helpers/replicas.ts'

/** Two gateways on one database. */
let deployment: Deployment
let replicas: [Replica, Replica]
beforeAll(async () => {
  deployment = await prepareDeployment({})
  replicas = [await deployment.start(), await deployment.start()]
})
afterAll(async () => {
  for (const replica of replicas ?? []) await replica.close()
  await deployment?.close()
})

const noon = new Date('2031-05-05T12:00:30.000Z')
const later = (ms: number) => new Date(noon.getTime() + ms)
const [SECOND, MINUTE, DAY] = [1_000, 60_000, 86_400_000]

/** What the database has counted, of all that is the account's or the key's. */
async function countsOf(subject: string): Promise<Record<string, number>> {
  for (const { services } of replicas) await services.usage.flush()
  const rows = await replicas[0].services.db.select().from(usageCounters).where(eq(usageCounters.subject, subject))
  return Object.fromEntries(
    rows.filter(({ count }) => count > 0).map(({ metric, period, count }) => [`${metric}/${period}`, count]),
  )
}

describe('a use', () => {
  it('without a plan is counted by account and key, day and month, and has no limit', async () => {
    const ctx = meteredContext(replicas[0].services, {})
    expect(await meter(ctx, { requests: 1, adds: 3 }, noon)).toBeUndefined()
    expect(await meter(ctx, { requests: 1 }, noon)).toBeUndefined()
    const counts = { 'requests/day': 2, 'requests/month': 2, 'adds/day': 3, 'adds/month': 3 }
    expect(await countsOf(ctx.service.accountId)).toEqual(counts)
    expect(await countsOf(ctx.service.keyId)).toEqual(counts)
  })

  it('is told the tightest limit on what it counts', async () => {
    const plan = { requestsPerMinute: 100, searchesPerDay: 3, addsPerMonth: 1 }
    const ctx = meteredContext(replicas[0].services, { account: plan, key: { searchesPerMonth: 4 } })
    expect(await meter(ctx, { requests: 1 }, noon)).toEqual({
      metric: 'requests',
      limit: 100,
      remaining: 99,
      resetAt: new Date('2031-05-05T12:01:00.000Z'),
    })
    expect(await meter(ctx, { requests: 1, searches: 1 }, noon)).toEqual({
      metric: 'searches',
      limit: 3,
      remaining: 2,
      resetAt: new Date('2031-05-06T00:00:00.000Z'),
    })
    const nextDay = later(DAY)
    // Two are left of the day and of the month: the month lasts longer.
    expect(await meter(ctx, { searches: 1 }, nextDay)).toMatchObject({ limit: 4, remaining: 2 })
    expect(await meter(ctx, { searches: 2 }, nextDay)).toMatchObject({
      limit: 4,
      remaining: 0,
      resetAt: new Date('2031-06-01T00:00:00.000Z'),
    })
  })

  it('beyond the requests of a minute is rate_limited until the minute ends', async () => {
    const ctx = meteredContext(replicas[0].services, { key: { requestsPerMinute: 1 } })
    await meter(ctx, { requests: 1 }, noon)
    await expect(meter(ctx, { requests: 1 }, later(9_500))).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfter: 21,
      details: { metric: 'requests', limit: 1, remaining: 0, reset_at: '2031-05-05T12:01:00.000Z', of: 'key' },
    })
    expect(await meter(ctx, { requests: 1 }, later(30 * SECOND))).toMatchObject({ remaining: 0 })
  })

  it('beyond another limit is quota_exceeded until it is reset', async () => {
    const ctx = meteredContext(replicas[0].services, { account: { addsPerMonth: 5 } })
    await meter(ctx, { adds: 3 }, noon)
    await expect(meter(ctx, { adds: 3 }, noon)).rejects.toMatchObject({
      code: 'quota_exceeded',
      message: expect.stringContaining('2 are left, and this request needs 3.'),
      details: { metric: 'adds', limit: 5, remaining: 2, reset_at: '2031-06-01T00:00:00.000Z', of: 'account' },
    })
    expect(await meter(ctx, { adds: 2 }, noon)).toMatchObject({ remaining: 0 })
    expect(await meter(ctx, { searches: 1 }, noon)).toBeUndefined()
  })

  it('that is refused is not counted, in none of its counters', async () => {
    const plan = { requestsPerMinute: 100, requestsPerMonth: 100, searchesPerDay: 1 }
    const ctx = meteredContext(replicas[0].services, { account: plan, key: plan })
    await meter(ctx, { requests: 1, searches: 1 }, noon)
    const before = [await countsOf(ctx.service.accountId), await countsOf(ctx.service.keyId)]
    for (const { services } of replicas) {
      const there = { ...ctx, services: { ...services, plans: ctx.services.plans } }
      for (let again = 0; again < 3; again++) {
        await expect(meter(there, { requests: 1, searches: 1 }, noon)).rejects.toMatchObject({ code: 'quota_exceeded' })
      }
    }
    expect([await countsOf(ctx.service.accountId), await countsOf(ctx.service.keyId)]).toEqual(before)
  })

  it('of tokens counts beyond the limit, once; then there are none left to ask for', async () => {
    const ctx = meteredContext(replicas[0].services, { account: { tokensPerMonth: 100 } })
    expect(await meter(ctx, { tokens: 0 }, noon)).toMatchObject({ metric: 'tokens', remaining: 100 })
    await meter(ctx, { tokens: 90 }, noon)
    await meter(ctx, { tokens: 0 }, noon)
    expect(await meter(ctx, { tokens: 30 }, noon)).toMatchObject({ remaining: 0 })
    await expect(meter(ctx, { requests: 1, tokens: 0 }, noon)).rejects.toMatchObject({ code: 'quota_exceeded' })
    expect(await countsOf(ctx.service.accountId)).toEqual({ 'tokens/month': 120, 'tokens/day': 120 })
  })

  it('under a larger plan goes on at once', async () => {
    const ctx = meteredContext(replicas[0].services, { account: { searchesPerDay: 1 } })
    await meter(ctx, { searches: 1 }, noon)
    await expect(meter(ctx, { searches: 1 }, noon)).rejects.toMatchObject({ code: 'quota_exceeded' })
    const larger = meteredContext(replicas[0].services, { account: { searchesPerDay: 2 } }, ctx.service)
    expect(await meter(larger, { searches: 1 }, noon)).toMatchObject({ remaining: 0 })
  })

  it('under a plan that was given later finds what was used before', async () => {
    const before = meteredContext(replicas[0].services, {})
    for (const { services } of replicas) await meter({ ...before, services }, { searches: 2 }, noon)
    for (const { services } of replicas) await services.usage.flush()
    const after = meteredContext(replicas[0].services, { account: { searchesPerMonth: 5 } }, before.service)
    expect(await meter(after, { searches: 1 }, noon)).toMatchObject({ remaining: 0 })
  })

  it('under a plan that is not configured is refused: never without limits', async () => {
    const ctx = meteredContext(replicas[0].services, { account: {} })
    const lost = { ...ctx, services: { ...ctx.services, plans: new Map() } }
    await expect(meter(lost, { requests: 1 }, noon)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('PLANS_FILE'),
    })
  })
})

describe('at the bound', () => {
  const settings = { numRuns: 25, interruptAfterTimeLimit: 20_000 }

  it('exactly as many are let through as there are, whoever asks where', async () => {
    const one = fc.record({
      limit: fc.nat(12),
      calls: fc.array(fc.record({ replica: fc.nat(1), key: fc.nat(1) }), { minLength: 1, maxLength: 30 }),
      of: fc.constantFrom('account' as const, 'key' as const),
    })
    await fc.assert(
      fc.asyncProperty(one, async ({ limit, calls, of }) => {
        const plan = { [of]: { searchesPerDay: limit, requestsPerMinute: 1_000 } }
        const first = meteredContext(replicas[0].services, plan)
        const keys = [first.service.keyId, `${first.service.keyId}_b`]
        const outcomes = await Promise.all(
          calls.map(async ({ replica, key }) => {
            const ids = { accountId: first.service.accountId, keyId: keys[key] ?? '' }
            const ctx = meteredContext(replicas[replica === 0 ? 0 : 1].services, plan, ids)
            return { key, isIn: !wasRefused(await tryMeter(ctx, { requests: 1, searches: 1 }, noon)) }
          }),
        )
        const through = (of_: (call: { key: number }) => boolean) =>
          outcomes.filter((outcome) => of_(outcome) && outcome.isIn).length
        const asked = (of_: (call: { key: number }) => boolean) => calls.filter(of_).length
        const groups =
          of === 'account'
            ? [() => true]
            : [0, 1].map(
                (n) =>
                  ({ key }: { key: number }) =>
                    key === n,
              )
        for (const group of groups) expect(through(group)).toBe(Math.min(limit, asked(group)))
        const total = through(() => true)
        const expected = total > 0 ? total : undefined
        const counts = await countsOf(first.service.accountId)
        expect([counts['searches/day'], counts['requests/month']]).toEqual([expected, expected])
      }),
      settings,
    )
  })

  it('whatever is asked in whatever order, the counters are the sum of what was let through, and within their limits', async () => {
    const bound = fc.option(fc.nat(15), { nil: undefined })
    const plan = fc.record({
      requestsPerMinute: bound,
      requestsPerMonth: bound,
      addsPerMonth: bound,
      searchesPerDay: bound,
      searchesPerMonth: bound,
    })
    const amount = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined })
    const call = fc.record({
      replica: fc.nat(1),
      key: fc.nat(1),
      uses: fc.record({ requests: amount, adds: amount, searches: amount }),
      isAlone: fc.boolean(),
    })
    const all = fc.record({ account: plan, key: plan, calls: fc.array(call, { maxLength: 25 }) })
    await fc.assert(
      fc.asyncProperty(all, async ({ account, key, calls }) => {
        const { service } = meteredContext(replicas[0].services, {})
        const keys = [service.keyId, `${service.keyId}_b`]
        const sums: Record<string, number> = {}
        const running: Promise<void>[] = []
        for (const { replica, key: which, uses: given, isAlone } of calls) {
          const uses = Object.fromEntries(Object.entries(given).filter(([, n]) => n !== undefined)) as Uses
          const ids = { accountId: service.accountId, keyId: keys[which] ?? '' }
          const ctx = meteredContext(replicas[replica === 0 ? 0 : 1].services, { account, key }, ids)
          if (isAlone) await Promise.all(running)
          const standing = { ...sums }
          const outcome = tryMeter(ctx, uses, noon).then((result) => {
            if (isAlone) expect(wasRefused(result)).toBe(exceeds({ account, key }, ids, uses, standing))
            if (wasRefused(result)) return
            for (const subject of [ids.accountId, ids.keyId]) {
              for (const [metric, n] of Object.entries(uses)) {
                sums[`${subject} ${metric}`] = (sums[`${subject} ${metric}`] ?? 0) + n
              }
            }
          })
          running.push(outcome)
          if (isAlone) await outcome
        }
        await Promise.all(running)
        for (const subject of [service.accountId, ...keys]) {
          const counts = await countsOf(subject)
          for (const metric of ['requests', 'adds', 'searches'] as const) {
            const sum = sums[`${subject} ${metric}`]
            expect([counts[`${metric}/day`], counts[`${metric}/month`]]).toEqual([sum, sum])
          }
        }
      }),
      settings,
    )
  })
})

const BOUNDS: readonly [keyof Plan, Metric][] = [
  ['requestsPerMinute', 'requests'],
  ['requestsPerMonth', 'requests'],
  ['addsPerMonth', 'adds'],
  ['searchesPerDay', 'searches'],
  ['searchesPerMonth', 'searches'],
]

/** What the plans say, plainly. */
function exceeds(
  plans: { account: Plan; key: Plan },
  ids: { accountId: string; keyId: string },
  uses: Uses,
  standing: Record<string, number>,
): boolean {
  return [
    { plan: plans.account, subject: ids.accountId },
    { plan: plans.key, subject: ids.keyId },
  ].some(({ plan, subject }) =>
    BOUNDS.some(([field, metric]) => {
      const [limit, n] = [plan[field], uses[metric]]
      return limit !== undefined && n !== undefined && (standing[`${subject} ${metric}`] ?? 0) + n > limit
    }),
  )
}

it('the sweeper removes minutes that are over, and nothing else', async () => {
  const { db } = replicas[0].services
  const [now, old] = [new Date(), new Date(Date.now() - 20 * MINUTE)]
  const row = (subject: string, period: 'minute' | 'day', startsAt: Date) => ({
    subject,
    metric: 'requests',
    period,
    startsAt,
    count: 1,
  })
  await db.insert(usageCounters).values([row('a', 'minute', old), row('b', 'minute', now), row('c', 'day', old)])
  await deleteOldMinutes(db)
  const left = await db
    .select({ subject: usageCounters.subject })
    .from(usageCounters)
    .where(and(inArray(usageCounters.subject, ['a', 'b', 'c'])))
  expect(left.map(({ subject }) => subject).toSorted()).toEqual(['b', 'c'])
})
