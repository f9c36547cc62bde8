import { eq, sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { attachments } from '../../src/db/schema/attachments.ts'
import { batches } from '../../src/db/schema/batches.ts'
import { erasures } from '../../src/db/schema/erasures.ts'
import { userKeys } from '../../src/db/schema/user-keys.ts'
import { users } from '../../src/db/schema/users.ts'
import { sweepOrphans } from '../../src/domain/attachments/sweep-orphans.ts'
import type { Context, DomainServices, SystemContext } from '../../src/domain/context.ts'
import { continueErasure } from '../../src/domain/erasure/continue-erasure.ts'
import { eraseUser } from '../../src/domain/erasure/erase-user.ts'
import { authenticateUser } from '../../src/domain/users/authenticate-user.ts'
import { createUserKey } from '../../src/domain/users/user-keys.ts'
import { call, createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { objectKeys, rowsOf } from '../helpers/stored.ts'

const DAY_MS = 86_400_000
const image = { field: 'i', kind: 'image', name: 'p.png', bytes: picture, type: 'image/png' }
let gateway: TestGateway
let fake: FakeEveros

beforeAll(async () => {
  fake = await startFakeEveros({ canDelete: false })
  gateway = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: fake.url })
})
afterAll(async () => {
  await gateway.close()
  await fake.close()
})

function system(services: DomainServices = gateway.services): SystemContext {
  return { services, requestId: 'test', log: gateway.services.log, signal: new AbortController().signal }
}

/** A request of the user's that has been let in. */
async function admitted(user: TestUser): Promise<Context> {
  const caller = await authenticateUser(system(), { userKey: user.key, userId: undefined })
  return { ...system(), caller, turn: new DisposableStack() }
}

describe('a request that was let in before its user was erased', () => {
  it('does not erase somebody new who has the name now', async () => {
    const before = await createUser(gateway.url)
    const late = await admitted(before)
    expect((await before.delete(`/users/${before.id}`)).status).toBe(202)
    const after = await createUser(gateway.url, before.id)
    await expect(eraseUser(late, { accountId: 'default', externalId: before.id })).rejects.toThrow('no such user')
    expect((await after.get('/sessions')).status).toBe(200)
  })

  it('makes no key', async () => {
    const user = await createUser(gateway.url)
    const late = await admitted(user)
    await gateway.services.db.execute(sql`update users set erased_at = now() where external_id = ${user.id}`)
    await expect(createUserKey(late, user.id)).rejects.toThrow()
    expect(await gateway.services.db.$count(userKeys, eq(userKeys.userId, late.caller.userId))).toBe(1)
  })
})

describe('an object store that takes its time', () => {
  const { promise: release, resolve: goOn } = Promise.withResolvers<void>()
  let put: TestGateway['services']['objectStore']['put']
  afterEach(() => Object.assign(gateway.services.objectStore, { put }))

  it('is left nothing of an upload that is being put while its user is erased', async () => {
    const { db, objectStore } = gateway.services
    const user = await createUser(gateway.url)
    const { caller } = await admitted(user)
    const before = objectKeys(gateway)
    put = objectStore.put.bind(objectStore)
    const began = Promise.withResolvers<void>()
    const slowly: typeof put = async (...args) => {
      began.resolve()
      await release
      return put(...args)
    }
    Object.assign(objectStore, { put: slowly })
    const upload = user.addMessage('chat:1', 'One.', [image])
    await began.promise
    const erasure = await user.delete(`/users/${user.id}`)
    await until(
      () => db.select().from(erasures).where(eq(erasures.id, erasure.body.erasure_id)),
      ([row]) => row!.updatedAt > row!.createdAt,
    )
    const settle = async () => {
      await db
        .update(attachments)
        .set({ updatedAt: sql`now() - interval '10 minutes'` })
        .where(eq(attachments.userId, caller.userId))
      await sweepOrphans(system(), DAY_MS)
    }
    await settle()
    goOn()
    expect((await upload).status).toBe(401)
    await settle()
    expect(objectKeys(gateway)).toEqual(before)
    await until(
      () => db.$count(batches, eq(batches.userId, caller.userId)),
      (count) => count === 0,
    )
  })
})

describe('an erasure that two processes work on', () => {
  it('keeps the receipt of the one that finished first', async () => {
    const user = await createUser(gateway.url)
    await user.addMessage('chat:1', 'One.', [image])
    const { db, jobs, objectStore } = gateway.services
    const ctx = system({ ...gateway.services, jobs: { ...jobs, enqueue: async () => {} } })
    const erasureId = await eraseUser(ctx, { accountId: 'default', externalId: user.id })
    let isFirst = true
    const slow: SystemContext = {
      ...ctx,
      services: {
        ...ctx.services,
        objectStore: {
          ...objectStore,
          delete: async (key) => {
            await objectStore.delete(key)
            if (isFirst) {
              isFirst = false
              expect(await continueErasure(ctx, erasureId)).toBe(true)
            }
          },
        },
      },
    }
    expect(await continueErasure(slow, erasureId)).toBe(true)
    const [row] = await db.select().from(erasures).where(eq(erasures.id, erasureId))
    expect(row?.leftUpstream).toHaveLength(1)
  })
})

describe('an erasure of more than one transaction holds', () => {
  const MANY = 250
  const outcome = (path: string | null) =>
    until(
      () => call(`${gateway.url}${path}`),
      ({ body }) => body.status === 'pending_operator',
      30_000,
    )

  /** Copies the batch and message of the user's only session so many times. */
  async function multiply(userId: string) {
    const { db } = gateway.services
    await db.execute(sql`
      insert into batches (id, user_id, session_id, action, state, position)
      select b.id || n, b.user_id, b.session_id, b.action, b.state, b.position + n
      from batches b, generate_series(1, ${MANY - 1}::int) n where b.user_id = ${userId}`)
    await db.execute(sql`
      insert into messages (id, user_id, session_id, batch_id, position, role, sender_id, timestamp, upstream_timestamp, content)
      select m.id || n, m.user_id, m.session_id, m.batch_id || n, 0, m.role, m.sender_id, m.timestamp, m.upstream_timestamp + n, m.content
      from messages m, generate_series(1, ${MANY - 1}::int) n where m.user_id = ${userId}`)
  }

  it('deletes a session: all is hidden at once, counted, and goes', async () => {
    const { db } = gateway.services
    const user = await createUser(gateway.url)
    const { userId } = (await admitted(user)).caller
    const { body } = await user.addMessage('chat:1', 'One.', [image])
    await multiply(userId)
    // The file is in the batch that goes last.
    const last = sql`(select id from batches where user_id = ${userId} order by position desc limit 1)`
    const message = sql`(select id from messages where batch_id = ${last})`
    await db.execute(sql`update attachments set batch_id = ${last}, message_id = ${message} where user_id = ${userId}`)
    const deletion = await user.delete('/sessions/chat:1')
    expect(deletion.status).toBe(204)
    expect((await user.get(`/attachments/${body.attachments[0].attachment_id}/content`)).status).toBe(404)
    expect((await user.get('/sessions/chat:1/messages')).status).toBe(404)
    expect((await outcome(deletion.headers.get('location'))).body).toMatchObject({
      sessions: 1,
      messages: MANY,
      objects: 1,
      bytes: picture.length,
    })
    expect(await rowsOf(gateway, user)).toMatchObject({ batches: 0, messages: 0, attachments: 0 })
  })

  it('erases a user with many sessions', async () => {
    const user = await createUser(gateway.url)
    const { userId } = (await admitted(user)).caller
    await user.addMessage('chat:1', 'One.')
    await multiply(userId)
    await gateway.services.db.execute(sql`
      insert into sessions (id, user_id, scope_id, external_id, kind, upstream_session_id)
      select s.id || n, s.user_id, s.scope_id, s.external_id || n, s.kind, s.upstream_session_id || n
      from sessions s, generate_series(1, ${MANY - 1}::int) n where s.user_id = ${userId}`)
    const erasure = await user.delete(`/users/${user.id}`)
    const { body } = await outcome(erasure.headers.get('location'))
    expect(body).toMatchObject({ sessions: MANY, messages: MANY, pending_operator: [{}] })
    expect(await gateway.services.db.$count(users, eq(users.id, userId))).toBe(0)
  })
})
