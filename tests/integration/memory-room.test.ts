import { eq } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memories } from '../../src/db/schema/memories.ts'
import type { Plan, UserContext } from '../../src/domain/context.ts'
import { GatewayError } from '../../src/domain/errors.ts'
import { archiveMemories, deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import { countMatching, listMemories } from '../../src/domain/memories/list-memories.ts'
import { projectScope } from '../../src/domain/memories/memory-scope.ts'
import { type StoreOptions, storeMemories } from '../../src/domain/memories/store-memories.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { type Deployment, prepareDeployment, type Replica } from '../helpers/replicas.ts'
import { endUserContext, makeAccount } from '../helpers/service.ts'

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

const asGateway = (replica: Replica) => replica as unknown as TestGateway

/** The account's request on either gateway, under these plans. */
async function someone(plans: { account?: Plan; key?: Plan }) {
  const { apiKey, accountId } = await makeAccount(asGateway(replicas[0]))
  const on = async (which: 0 | 1, user: string, project?: string): Promise<UserContext> => {
    const ctx = await endUserContext(asGateway(replicas[which]), apiKey, user, project)
    const names = { accountPlan: plans.account ? 'account' : null, keyPlan: plans.key ? 'key' : null }
    const configured = new Map(Object.entries(plans) as [string, Plan][])
    return { ...ctx, services: { ...ctx.services, plans: configured }, service: { ...ctx.service, ...names } }
  }
  return { on, accountId }
}

let words = 0
const newText = () => `Thought number ${words++}`
const store = (ctx: UserContext, count = 1, options: StoreOptions = {}) =>
  storeMemories(
    ctx,
    Array.from({ length: count }, () => ({ memory: { content: newText() } })),
    options,
  )
const isRefused = (promise: Promise<unknown>) =>
  promise.then(
    () => false,
    (error: unknown) => {
      if (error instanceof GatewayError && error.code === 'quota_exceeded') return true
      throw error
    },
  )
const kept = (ctx: UserContext) => countMatching(ctx, projectScope(ctx), {})

describe('the room of an account', () => {
  it('ends with its plan; all of a request is stored, or nothing', async () => {
    const { on } = await someone({ account: { memories: 3 } })
    const [ada, bob] = [await on(0, 'ada'), await on(1, 'bob')]
    await store(ada, 2)
    await expect(store(bob, 2)).rejects.toMatchObject({
      code: 'quota_exceeded',
      retryAfter: undefined,
      details: { metric: 'memories', limit: 3, remaining: 1, reset_at: null },
    })
    expect(await kept(ada)).toBe(2)
    await store(bob)
    await expect(store(await on(0, 'ada', 'another-project'))).rejects.toMatchObject({
      details: { remaining: 0 },
    })
  })

  it('grows again when something is deleted, archived or has expired', async () => {
    const { on } = await someone({ account: { memories: 3 } })
    const ctx = await on(0, 'ada')
    const [one, two, three] = await store(ctx, 3)
    expect(await isRefused(store(ctx))).toBe(true)
    await deleteMemories(ctx, projectScope(ctx), [one!.memory.id])
    await store(ctx)
    expect(await isRefused(store(ctx))).toBe(true)
    await archiveMemories(ctx, projectScope(ctx), [two!.memory.id])
    await store(ctx)
    expect(await isRefused(store(ctx))).toBe(true)
    await ctx.services.db
      .update(memories)
      .set({ expiresAt: new Date(Date.now() - 1) })
      .where(eq(memories.id, three!.memory.id))
    await store(ctx)
    expect(await isRefused(store(ctx))).toBe(true)
  })

  it('is not taken by what is there already', async () => {
    const { on } = await someone({ account: { memories: 1 } })
    const ctx = await on(0, 'ada')
    const memory = { content: 'User prefers dark mode' }
    await storeMemories(ctx, [{ memory }], { duplicatesFrom: 0.95 })
    expect(await storeMemories(ctx, [{ memory }], { duplicatesFrom: 0.95 })).toMatchObject([{ outcome: 'duplicate' }])
  })

  it("is as large as the smaller of its plan and its key's, and without an end where neither says", async () => {
    const { on } = await someone({ account: { memories: 5 }, key: { memories: 2 } })
    expect(await isRefused(store(await on(0, 'ada'), 3))).toBe(true)
    await store(await on(0, 'ada'), 2)
    const free = await someone({ account: { searchesPerDay: 1 } })
    await store(await free.on(0, 'ada'), 5)
    expect(await isRefused(store(await (await someone({ account: { memories: 0 } })).on(0, 'ada')))).toBe(true)
  })

  it('is not there under a plan that is not configured', async () => {
    const { on } = await someone({ account: {} })
    const ctx = await on(0, 'ada')
    const lost = { ...ctx, services: { ...ctx.services, plans: new Map() } }
    await expect(store(lost)).rejects.toMatchObject({ code: 'unavailable' })
    expect(await kept(ctx)).toBe(0)
  })

  it('is filled to the last place and not beyond, whoever adds and deletes where at once', async () => {
    const add = fc.record({
      kind: fc.constant('add' as const),
      on: fc.nat(1),
      user: fc.nat(2),
      count: fc.integer({ min: 1, max: 3 }),
    })
    const remove = fc.record({ kind: fc.constant('remove' as const), on: fc.nat(1), user: fc.nat(2), count: fc.nat(2) })
    const all = fc.record({
      limit: fc.nat(8),
      rounds: fc.array(fc.array(fc.oneof(add, add, remove), { maxLength: 8 }), { maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(all, async ({ limit, rounds }) => {
        const { on } = await someone({ account: { memories: limit } })
        const contexts = await Promise.all(
          ([0, 1] as const).map((which) => Promise.all(['a', 'b', 'c'].map((user) => on(which, user)))),
        )
        const ctx = contexts[0]![0]!
        for (const round of rounds) {
          const before = await kept(ctx)
          const { items } = await listMemories(ctx, projectScope(ctx), {}, { limit: 50, order: 'asc' })
          const outcomes = await Promise.all(
            round.map(async (step) => {
              const own = contexts[step.on]![step.user]!
              if (step.kind === 'add') return { count: step.count, isIn: !(await isRefused(store(own, step.count))) }
              await deleteMemories(
                own,
                projectScope(own),
                items.slice(0, step.count).map(({ id }) => id),
              )
              return undefined
            }),
          )
          const after = await kept(ctx)
          expect(after).toBeLessThanOrEqual(limit)
          if (round.some(({ kind }) => kind === 'remove')) continue
          const adds = outcomes.flatMap((outcome) => outcome ?? [])
          expect(after).toBe(before + adds.reduce((sum, { count, isIn }) => sum + (isIn ? count : 0), 0))
          // Who was refused had no room at the end either: nothing was deleted.
          for (const { count, isIn } of adds) if (!isIn) expect(after + count).toBeGreaterThan(limit)
        }
      }),
      { numRuns: 12, interruptAfterTimeLimit: 20_000 },
    )
  })
})

it('without a file of plans nothing is put under one', async () => {
  await expect(makeAccount(asGateway(replicas[0]), { plan: 'free' })).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('set PLANS_FILE'),
  })
})
