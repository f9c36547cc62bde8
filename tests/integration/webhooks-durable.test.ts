import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { inTransaction } from '../../src/db/database.ts'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { sweepOrphans } from '../../src/domain/attachments/sweep-orphans.ts'
import { eraseUser } from '../../src/domain/erasure/erase-user.ts'
import { claimDelivery } from '../../src/domain/webhooks/attempt-queries.ts'
import { emitKeyEvent } from '../../src/domain/webhooks/key-events.ts'
import { hurryJobs } from '../helpers/jobs.ts'
import { makeManager, remember, TestManager } from '../helpers/org.ts'
import { eventually, type Receiver, startReceiver } from '../helpers/receiver.ts'
import { type Deployment, prepareDeployment } from '../helpers/replicas.ts'
import { systemContextOf } from '../helpers/service.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** Of all tests: each has an account, gateways and receivers of its own. */
let deployment: Deployment
beforeAll(async () => {
  deployment = await prepareDeployment({ WEBHOOK_ALLOW_PRIVATE: 'true' })
})
afterAll(() => deployment.close())

async function start(settings: Record<string, string> = {}) {
  const replica = await deployment.start(settings)
  let isOpen = true
  const close = async () => {
    if (isOpen) await replica.close()
    isOpen = false
  }
  closers.push(close)
  return { ...replica, connections: () => Promise.resolve(0), close }
}

async function listen(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...args)
  closers.push(() => receiver.close())
  return receiver
}

const created = ['memory.created']

describe('deliveries', () => {
  it('that were stored before the process died are made by the next', async () => {
    const receiver = await listen()
    const first = await start()
    const me = await makeManager(first)
    await me.webhook(receiver.url, created)
    await remember(first, me, 'Stored before the end')
    await first.close()
    expect(receiver.received).toEqual([])
    const second = await start()
    await second.services.startJobs()
    const [request] = await receiver.until(1)
    expect(request?.event.data.text).toBe('Stored before the end')
  })

  it('whose process died in the middle are made again', async () => {
    const receiver = await listen()
    const replica = await start()
    const me = await makeManager(replica)
    const hook = await me.webhook(receiver.url, created)
    await remember(replica, me, 'Told by a process that dies')
    const { body } = await me.get(`/org/webhooks/${hook.id}/deliveries/latest`)
    expect(await claimDelivery(replica.services.db, body.id, 1)).toMatchObject({ attempts: 1 })
    expect(await claimDelivery(replica.services.db, body.id, 1)).toBeUndefined()
    await replica.services.startJobs()
    const [request] = await receiver.until(1)
    expect(request?.headers['x-webhook-attempt']).toBe('2')
    expect(request?.event.id).toBe(body.event_id)
  })

  it('that are under way when the gateway ends are made by the next, and do not count', async () => {
    const receiver = await listen((_, count) => (count === 1 ? 'hang' : { status: 200 }))
    const first = await start()
    const me = await makeManager(first)
    const hook = await me.webhook(receiver.url, created)
    await first.services.startJobs()
    await remember(first, me, 'Told while the gateway ends')
    await receiver.until(1)
    await first.close()
    const second = await start()
    const manager = new TestManager(second.url, me.key, me.accountId)
    const { body } = await manager.get(`/org/webhooks/${hook.id}/deliveries/latest`)
    expect(body).toMatchObject({ status: 'pending', attempt_number: 0, error_message: null })
    await second.services.startJobs()
    await hurryJobs(second)
    const [, again] = await receiver.until(2)
    expect(again?.headers['x-webhook-attempt']).toBe('1')
  }, 90_000)

  it('of two replicas are made once each', async () => {
    const receiver = await listen()
    const replicas = [await start(), await start()] as const
    const me = await makeManager(replicas[0])
    const hook = await me.webhook(receiver.url, created)
    for (const { services } of replicas) await services.startJobs()
    await Promise.all(
      Array.from({ length: 20 }, (_, count) =>
        remember(replicas[count % 2] ?? replicas[0], me, `Thing number ${count} that is stored`, {
          endUser: `user-${count % 5}`,
        }),
      ),
    )
    await receiver.until(20)
    await eventually(async () => {
      const { body } = await me.get(`/org/webhooks/${hook.id}/deliveries?status_filter=delivered`)
      return body.total === 20
    }, 'all are delivered')
    const ids = receiver.received.map(({ event }) => event.id)
    expect(new Set(ids).size).toBe(20)
    expect(ids).toHaveLength(20)
  })

  it('to an address that may not be called any more are given up, and tell nothing of it', async () => {
    const receiver = await listen(() => ({ status: 200, body: 'internal secret' }))
    const open = await start()
    const me = await makeManager(open)
    const hook = await me.webhook(receiver.url, created)
    await remember(open, me, 'Something to tell')
    await open.close()
    const strict = await start({ WEBHOOK_ALLOW_PRIVATE: 'false' })
    await strict.services.startJobs()
    const manager = new TestManager(strict.url, me.key, me.accountId)
    const dead = await eventually(async () => {
      const { body } = await manager.get(`/org/webhooks/${hook.id}/deliveries/latest`)
      return body.status === 'dead_letter' && body
    }, 'it is given up')
    expect(dead).toMatchObject({
      attempt_number: 1,
      status_code: null,
      response_body: null,
      error_message: 'The address is not on the public internet.',
    })
    expect(receiver.received).toEqual([])
  })

  it('without a job, as a command on the database alone leaves them, are found by the sweep', async () => {
    const receiver = await listen()
    const replica = await start()
    const me = await makeManager(replica)
    await me.webhook(receiver.url, ['api_key.revoked'])
    const { db, plans, usage } = replica.services
    const key = await createApiKey(systemContextOf(replica), me.accountId, { name: 'of a command' })
    await inTransaction(db, (tx) =>
      emitKeyEvent(tx, { services: { db, plans, usage } as never }, 'api_key.revoked', key),
    )
    await replica.services.startJobs()
    await db.execute(sql`update webhook_deliveries set created_at = now() - interval '3 minutes'`)
    await sweepOrphans(systemContextOf(replica), 60_000)
    await receiver.until(1)
  })

  it('leave the log after 30 days', async () => {
    const receiver = await listen()
    const replica = await start()
    const me = await makeManager(replica)
    const hook = await me.webhook(receiver.url, created)
    await remember(replica, me, 'An old thing to tell')
    await replica.services.db.execute(sql`update webhook_deliveries set created_at = now() - interval '31 days'`)
    await remember(replica, me, 'A newer thing to tell')
    await sweepOrphans(systemContextOf(replica), 60_000)
    const { body } = await me.get(`/org/webhooks/${hook.id}/deliveries`)
    expect(body.deliveries.map((one: { payload: { data: { text: string } } }) => one.payload.data.text)).toEqual([
      'A newer thing to tell',
    ])
  })

  it('that speak of a user go when they are erased', async () => {
    const receiver = await listen()
    const replica = await start()
    const me = await makeManager(replica)
    const hook = await me.webhook(receiver.url, created)
    const { ctx } = await remember(replica, me, 'Somebody who leaves')
    await remember(replica, me, 'Somebody who stays', { endUser: 'bob@example.com' })
    await eraseUser(ctx, { accountId: me.accountId, externalId: ctx.caller.externalUserId })
    await replica.services.startJobs()
    await eventually(async () => {
      const { body } = await me.get(`/org/webhooks/${hook.id}/deliveries`)
      return body.total === 1 && body.deliveries[0].payload.end_user_id === 'bob@example.com'
    }, "only the other's is left")
  })
})
