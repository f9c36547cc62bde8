import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { auditLog } from '../../src/db/schema/audit-log.ts'
import { engineMemories } from '../../src/db/schema/engine-memories.ts'
import { idempotencyKeys } from '../../src/db/schema/idempotency-keys.ts'
import { observationRecords } from '../../src/db/schema/observation-records.ts'
import { scopes } from '../../src/db/schema/scopes.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { threads } from '../../src/db/schema/threads.ts'
import { users } from '../../src/db/schema/users.ts'
import { continueErasure } from '../../src/domain/erasure/continue-erasure.ts'
import { eraseUser } from '../../src/domain/erasure/erase-user.ts'
import { getErasure } from '../../src/domain/erasure/get-erasure.ts'
import { threadItself } from '../../src/domain/idempotency/answer-subject.ts'
import { searchMemory } from '../../src/domain/search/search-memory.ts'
import { cloneThread } from '../../src/domain/threads/clone-thread.ts'
import { createThread } from '../../src/domain/threads/create-thread.ts'
import { deleteThread } from '../../src/domain/threads/delete-thread.ts'
import { beginExchange } from '../../src/domain/threads/exchange.ts'
import { listThreadMessages } from '../../src/domain/threads/list-thread-messages.ts'
import { listThreads, resourceNames } from '../../src/domain/threads/list-threads.ts'
import { findThread, openThread } from '../../src/domain/threads/open-thread.ts'
import type { ThreadContext, ThreadRow } from '../../src/domain/threads/thread-context.ts'
import { updateThread } from '../../src/domain/threads/update-thread.ts'
import { createUser, picture, until } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { hurryJobs } from '../helpers/jobs.ts'
import { systemContextOf } from '../helpers/service.ts'
import {
  contentOf,
  exchange,
  inlineFile,
  makeApplication,
  newResource,
  newThread,
  objectsOf,
  said,
} from '../helpers/threads.ts'

const notFound = expect.objectContaining({ code: 'not_found' })

let gateway: TestGateway
let ctx: ThreadContext
let thread: ThreadRow

beforeAll(async () => {
  gateway = await sharedGateway()
})
beforeEach(async () => {
  ctx = await newResource(gateway)
  thread = await newThread(ctx)
})

async function observe(of: ThreadRow, observations: string): Promise<void> {
  await gateway.services.db
    .insert(observationRecords)
    .values({ id: randomUUID(), userId: of.userId, threadId: of.id, generation: 0, origin: 'initial', observations })
}

function observationsOf(of: Pick<ThreadRow, 'id'>) {
  return gateway.services.db.select().from(observationRecords).where(eq(observationRecords.threadId, of.id))
}

/** The clock of PGlite counts no less; of what changed in the same one, no order is promised. */
async function nextMillisecond(): Promise<void> {
  for (const now = Date.now(); Date.now() === now; ) await setImmediate()
}

describe('a thread', () => {
  it('is made at first use, once, and belongs to the resource that named it first', async () => {
    const app = await makeApplication(gateway)
    const [ann, bob] = [await app.as('ann'), await app.as('bob')]
    const opened = await Promise.all(Array.from({ length: 4 }, () => openThread(ann, 't')))
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1)
    await expect(openThread(bob, 't')).rejects.toEqual(notFound)
    await expect(findThread(await app.realm(), 't', bob.caller.userId)).rejects.toEqual(notFound)
    await expect(findThread(await app.realm(), 'other')).rejects.toEqual(notFound)
    expect((await findThread(await app.realm(), 't')).userId).toBe(ann.caller.userId)
    const isDenied = and(eq(auditLog.target, `thread:${opened[0]?.id}`), eq(auditLog.result, 'denied'))
    await until(
      () => gateway.services.db.$count(auditLog, isDenied),
      (count) => count === 2,
    )
    // Another application's thread of the same name is another one.
    expect((await openThread(ctx, 't')).id).not.toBe(opened[0]?.id)
    await expect(openThread(ctx, '..')).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('can be made with an id, a title and metadata, or without an id', async () => {
    const id = randomUUID()
    const made = await createThread(ctx, { id, title: 'Plans', metadata: { a: 1 } })
    expect(made).toMatchObject({ externalId: id, title: 'Plans', metadata: { a: 1 }, sessionId: null })
    await expect(createThread(ctx, { id })).rejects.toMatchObject({ code: 'conflict' })
    expect((await createThread(ctx, {})).externalId).toMatch(/^[0-9a-f-]{36}$/)
    expect((await openThread(ctx, id)).id).toBe(made.id)
  })

  it('changes in what is given alone', async () => {
    const made = await createThread(ctx, { title: 'Plans', metadata: { a: 1, b: 1 } })
    await nextMillisecond()
    const changed = await updateThread(ctx, made, { metadata: { b: 2, c: 3 } })
    expect(changed).toMatchObject({ title: 'Plans', metadata: { a: 1, b: 2, c: 3 } })
    expect(changed.updatedAt.getTime()).toBeGreaterThan(made.updatedAt.getTime())
    expect(await updateThread(ctx, made, { title: 'New' })).toMatchObject({ title: 'New', metadata: { c: 3 } })
    await deleteThread(ctx, made)
    await expect(updateThread(ctx, made, { title: 'Gone' })).rejects.toEqual(notFound)
  })

  it('is listed with the others of its resource or realm, the one that changed last first', async () => {
    const app = await makeApplication(gateway)
    const [ann, bob] = [await app.as('ann'), await app.as('bob')]
    const [first, second] = [await openThread(ann, '1'), await openThread(bob, '2')]
    await nextMillisecond()
    await openThread(ann, '3')
    await exchange(ann, first, [said('user', 'Hi.')])
    const realm = await app.realm()
    const names = async (page: Parameters<typeof listThreads>[1]) => {
      const { threads: rows, total } = await listThreads(realm, page)
      return { ids: rows.map(({ externalId }) => externalId), total }
    }
    expect(await names({ limit: 50, offset: 0 })).toEqual({ ids: ['1', '3', '2'], total: 3 })
    expect(await names({ limit: 1, offset: 1 })).toEqual({ ids: ['3'], total: 3 })
    expect(await names({ limit: 50, offset: 0, userId: ann.caller.userId })).toEqual({ ids: ['1', '3'], total: 2 })
    expect(await resourceNames(realm, [first, second])).toEqual(
      new Map([
        [ann.caller.userId, 'ann'],
        [bob.caller.userId, 'bob'],
      ]),
    )
    expect(await resourceNames(ctx, [first])).toEqual(new Map())
  })

  it('shows its messages in pages, from either end', async () => {
    await exchange(ctx, thread, [said('user', '1')], said('assistant', '2'))
    await exchange(ctx, thread, [said('user', '3')], said('assistant', '4'))
    const texts = async (page: Parameters<typeof listThreadMessages>[2]) => {
      const { messages, total } = await listThreadMessages(ctx, await findThread(ctx, thread.externalId), page)
      return `${messages.map(({ content: [item] }) => item && 'text' in item && item.text).join()} of ${total}`
    }
    expect(await texts({ limit: 3, offset: 0, order: 'asc' })).toBe('1,2,3 of 4')
    expect(await texts({ limit: 3, offset: 1, order: 'desc' })).toBe('3,2,1 of 4')
    const empty = await newThread(ctx)
    expect(await listThreadMessages(ctx, empty, { limit: 1, offset: 0, order: 'asc' })).toMatchObject({ total: 0 })
  })
})

describe('deleting a thread', () => {
  it('removes its messages, files, observations and what the backend knows, and frees its id', async () => {
    const { db } = gateway.services
    await exchange(ctx, thread, [said('user', 'The boat is Marigold.', inlineFile(picture, 'boat.png'))])
    await observe(thread, 'They have a boat.')
    const [scope] = await db.select().from(scopes).where(eq(scopes.userId, ctx.caller.userId))
    const remembered = () => db.$count(engineMemories, eq(engineMemories.projectId, scope?.upstreamProjectId ?? ''))
    await until(remembered, (count) => count > 0)

    const receipt = await deleteThread(ctx, thread)
    await expect(findThread(ctx, thread.externalId)).rejects.toEqual(notFound)
    expect(await observationsOf(thread)).toEqual([])
    await until(
      async () => {
        await hurryJobs(gateway)
        return getErasure(ctx, receipt ?? '')
      },
      ({ status }) => status === 'done',
    )
    expect(await getErasure(ctx, receipt ?? '')).toMatchObject({ messages: 2, objects: 1, bytes: picture.length })
    expect(await remembered()).toBe(0)
    expect((await objectsOf(ctx)).files).toBe(0)

    const again = await openThread(ctx, thread.externalId)
    expect(await contentOf(ctx, again)).toEqual([])
    await exchange(ctx, again, [said('user', 'New.')])
    expect(await contentOf(ctx, again)).toHaveLength(2)
    await expect(deleteThread(ctx, thread)).rejects.toEqual(notFound)
  })

  it('takes the stored answers with it that speak of it, also of a thread without a message', async () => {
    const { db } = gateway.services
    const made = await createThread(ctx, {}, async (tx, row) => {
      await tx
        .insert(idempotencyKeys)
        .values({ id: row.id, fingerprint: 'f', answer: 'It is called Plans.', ...threadItself(row) })
    })
    await deleteThread(ctx, made)
    const [kept] = await db.select().from(idempotencyKeys).where(eq(idempotencyKeys.id, made.id))
    expect(kept?.answer).toBe('erased')
  })

  it('keeps nothing of an exchange that was under way', async () => {
    const begun = beginExchange(ctx, thread, [said('user', 'Too late', inlineFile(picture))])
    expect(await deleteThread(ctx, thread)).toBeUndefined()
    await begun.finish(said('assistant', 'Yes.'), {})
    await expect(findThread(ctx, thread.externalId)).rejects.toEqual(notFound)
    const isLive = and(eq(sessions.userId, ctx.caller.userId), isNull(sessions.deletedAt))
    expect(await gateway.services.db.$count(sessions, isLive)).toBe(0)
  })
})

describe('a copy of a thread', () => {
  it('has the messages in their order, the files and the observations, and outlives its original', async () => {
    await exchange(ctx, thread, [said('user', 'See', inlineFile(picture, 'p.png'))], said('assistant', 'Nice.'))
    await exchange(ctx, thread, [said('user', 'More')], said('assistant', 'Sure.'))
    await updateThread(ctx, thread, { title: 'Trip', metadata: { kept: false } })
    await observe(thread, 'They went on a trip.')
    const { thread: copy, messageIds } = await cloneThread(ctx, thread, { metadata: { mine: 1 } })
    expect(copy.title).toBe('Clone of Trip')
    expect(copy.metadata).toMatchObject({ mine: 1, clone: { sourceThreadId: thread.externalId } })
    expect(messageIds).toHaveLength(4)
    expect(await observationsOf(copy)).toMatchObject([{ observations: 'They went on a trip.' }])
    const page = { limit: 10, offset: 0, order: 'asc' } as const
    const [of, from] = [await findThread(ctx, copy.externalId), await findThread(ctx, thread.externalId)]
    const times = async (row: ThreadRow) =>
      (await listThreadMessages(ctx, row, page)).messages.map(({ upstreamTimestamp, tokens }) => [
        upstreamTimestamp,
        tokens,
      ])
    expect(await times(of)).toEqual(await times(from))
    expect(await objectsOf(ctx)).toMatchObject({ files: 2, keys: [expect.any(String)], missing: [] })

    await deleteThread(ctx, thread)
    expect(await contentOf(ctx, copy)).toEqual([
      { role: 'user', text: 'See\n[Image #1: p.png]', files: ['p.png'] },
      { role: 'assistant', text: 'Nice.', files: [] },
      { role: 'user', text: 'More', files: [] },
      { role: 'assistant', text: 'Sure.', files: [] },
    ])
    expect((await objectsOf(ctx)).missing).toEqual([])
    await until(
      () => searchMemory(ctx, { query: 'More Sure' }),
      ({ results }) => results.some(({ session }) => session.externalId === `thread:${copy.externalId}`),
    )
  })

  it('has those messages that are asked for', async () => {
    for (const text of ['1', '2', '3']) await exchange(ctx, thread, [said('user', text)], said('assistant', `${text}!`))
    await observe(thread, 'They count.')
    const { messages } = await listThreadMessages(ctx, await findThread(ctx, thread.externalId), {
      limit: 10,
      offset: 0,
      order: 'asc',
    })
    const texts = async (options: Parameters<typeof cloneThread>[2]) => {
      const { thread: copy } = await cloneThread(ctx, thread, options)
      expect(await observationsOf(copy)).toEqual([])
      return (await contentOf(ctx, copy)).map(({ text }) => text).join()
    }
    expect(await texts({ messageLimit: 3 })).toBe('2!,3,3!')
    expect(await texts({ messageIds: [messages[4]?.id ?? '', messages[1]?.id ?? ''] })).toBe('1!,3')
    expect(await texts({ endDate: new Date(messages[1]?.timestamp ?? 0), messageLimit: 1 })).toBe('1!')
    expect(await texts({ startDate: new Date(Date.now() + 60_000) })).toBe('')
  })

  it('is of the same resource, under an id of its own', async () => {
    const app = await makeApplication(gateway)
    const [ann, bob] = [await app.as('ann'), await app.as('bob')]
    const hers = await openThread(ann, 'hers')
    await expect(cloneThread(bob, hers, {})).rejects.toEqual(notFound)
    await expect(cloneThread(ann, hers, { id: 'hers' })).rejects.toMatchObject({ code: 'conflict' })
    expect((await cloneThread(ann, hers, { id: 'copy' })).thread).toMatchObject({ externalId: 'copy', sessionId: null })
  })
})

it('leaves nothing of the threads of a user who is erased', async () => {
  const { db } = gateway.services
  await exchange(ctx, thread, [said('user', 'Mine', inlineFile(picture))])
  await cloneThread(ctx, thread, {})
  await observe(thread, 'They said something.')
  await ctx.services.relay.settle()
  const begun = beginExchange(ctx, thread, [said('user', 'And')])
  const erasureId = await eraseUser(ctx, { accountId: ctx.caller.accountId, externalId: ctx.caller.externalUserId })
  await begun.finish(said('assistant', 'Then?'), {})
  // Somebody new may have both names at once.
  const next = await (await makeApplication(gateway)).as('next')
  expect(await openThread({ ...next, realm: ctx.realm }, thread.externalId)).toMatchObject({
    userId: next.caller.userId,
  })
  await until(
    () => continueErasure(systemContextOf(gateway), erasureId),
    (isOver) => isOver,
  )
  expect(await getErasure(ctx, erasureId)).toMatchObject({ objects: 1, bytes: picture.length })
  const named = await db
    .select({ name: sql<string>`table_name` })
    .from(sql`information_schema.columns`)
    .where(sql`column_name = 'user_id' and table_schema = 'public' and table_name not in ('audit_log', 'erasures')`)
  expect(named.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['threads', 'observation_records', 'attachments']),
  )
  for (const { name } of named) {
    const [left] = await db
      .select({ n: sql<number>`count(*)::int` })
      .from(sql.identifier(name) as never)
      .where(sql`user_id = ${ctx.caller.userId}`)
    expect(left, name).toEqual({ n: 0 })
  }
  expect(await db.$count(users, eq(users.id, ctx.caller.userId))).toBe(0)
})

it('shows a thread of a native user among their sessions, and has it deleted as a thread', async () => {
  const { db } = gateway.services
  const user = await createUser(gateway.url)
  const [row] = await db
    .select()
    .from(users)
    .where(inArray(users.externalId, [user.id]))
  const caller = { ...ctx.caller, accountId: row?.accountId ?? '', userId: row?.id ?? '', externalUserId: user.id }
  const theirs: ThreadContext = { ...ctx, caller, realm: `user:${row?.id}` }
  const own = await openThread(theirs, 'plans/2026')
  await exchange(theirs, own, [said('user', 'The regatta is in June.')])
  const sessionId = 'thread:plans/2026'
  const { body } = await user.get('/sessions')
  expect(body.sessions).toMatchObject([{ session_id: sessionId, kind: 'thread', message_count: 2 }])
  const path = `/sessions/${encodeURIComponent(sessionId)}`
  expect((await user.get(`${path}/messages`)).body.messages).toHaveLength(2)
  const found = await until(
    () => user.post('/memories/search', { query: 'regatta', scope: ['all_user_memory'] }),
    (answer) => answer.body.results.length > 0,
  )
  expect(found.body.results[0]).toMatchObject({ session_id: sessionId, source_scope: 'all_user_memory' })
  const refused = await user.delete(path)
  expect(refused.status).toBe(409)
  expect(refused.body.error.message).toContain('DELETE /v1/memory/threads/')
  const added = await user.post('/memories/add', { session_id: sessionId, messages: [{ role: 'user', content: 'x' }] })
  expect(added.status).toBe(422)
  expect(await db.$count(threads, eq(threads.userId, caller.userId))).toBe(1)
})
