import { and, eq, inArray, sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { inTransaction } from '../../src/db/database.ts'
import { attachments } from '../../src/db/schema/attachments.ts'
import { messages } from '../../src/db/schema/messages.ts'
import { deleteObjects } from '../../src/domain/attachments/delete-objects.ts'
import { type AttachmentRow, markDeleting } from '../../src/domain/attachments/queries.ts'
import { sweepOrphans } from '../../src/domain/attachments/sweep-orphans.ts'
import { getErasure } from '../../src/domain/erasure/get-erasure.ts'
import { cloneThread } from '../../src/domain/threads/clone-thread.ts'
import { deleteThread } from '../../src/domain/threads/delete-thread.ts'
import { findThread } from '../../src/domain/threads/open-thread.ts'
import type { ThreadContext, ThreadRow } from '../../src/domain/threads/thread-context.ts'
import { picture, tone } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
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
  withServices,
} from '../helpers/threads.ts'

const shown = said('user', inlineFile(picture, 'p.png'))

let gateway: TestGateway
let ctx: ThreadContext
let first: ThreadRow
let second: ThreadRow

beforeAll(async () => {
  gateway = await sharedGateway()
})
beforeEach(async () => {
  ctx = await newResource(gateway)
  first = await newThread(ctx)
  second = await newThread(ctx)
})

/** As an erasure does, before it comes to the objects. */
async function markDeletingOf(thread: ThreadRow): Promise<AttachmentRow[]> {
  const { sessionId } = await findThread(ctx, thread.externalId)
  return inTransaction(gateway.services.db, async (tx) => {
    const rows = await tx
      .select()
      .from(messages)
      .where(eq(messages.sessionId, sessionId ?? ''))
    return markDeleting(
      tx,
      ctx.caller,
      rows.map(({ batchId }) => batchId),
    )
  })
}

/** Has a thread's files cut loose at the moment at which another thread is about to share their object. */
function deletingWhileStored(thread: ThreadRow, thenDelete: boolean): ThreadContext {
  const { db } = gateway.services
  let isDone = false
  const transaction: typeof db.transaction = async (...args) => {
    if (!isDone) {
      isDone = true
      const files = await markDeletingOf(thread)
      if (thenDelete) await deleteObjects(ctx, files)
    }
    return db.transaction(...args)
  }
  return withServices(ctx, {
    db: new Proxy(db, { get: (target, name) => (name === 'transaction' ? transaction : Reflect.get(target, name)) }),
  })
}

describe('the same file again', () => {
  it('is stored once for a user, in one message, in another and in another thread, under each name', async () => {
    const twice = said(
      'user',
      inlineFile(picture, 'a.png'),
      inlineFile(tone, 't.wav', 'audio'),
      inlineFile(picture, 'b.png'),
    )
    await exchange(ctx, first, [twice, said('user', inlineFile(picture, 'c.png'))])
    await exchange(ctx, second, [said('user', inlineFile(picture, 'd.png'))])
    const { files, keys, missing } = await objectsOf(ctx)
    expect({ files, objects: keys.length, missing }).toEqual({ files: 5, objects: 2, missing: [] })
    expect((await contentOf(ctx, first)).flatMap((message) => message.files)).toEqual([
      'a.png',
      't.wav',
      'b.png',
      'c.png',
    ])
    const rows = await gateway.services.db.select().from(attachments).where(eq(attachments.userId, ctx.caller.userId))
    expect(rows.every(({ uri, objectKey }) => uri === gateway.services.objectStore.uri(objectKey))).toBe(true)
  })

  it('is stored anew for another user, also one of the same application', async () => {
    const app = await makeApplication(gateway)
    const [ann, bob] = [await app.as('ann'), await app.as('bob')]
    for (const user of [ann, bob]) await exchange(user, await newThread(user), [shown])
    const [hers, his] = [await objectsOf(ann), await objectsOf(bob)]
    expect(new Set([...hers.keys, ...his.keys]).size).toBe(2)
  })
})

describe('an object that files share', () => {
  it('stays until the last of them is deleted, also through a sweep', async () => {
    await exchange(ctx, first, [shown])
    await exchange(ctx, second, [shown])
    const third = (await cloneThread(ctx, second, {})).thread
    const receipts: string[] = []
    for (const thread of [first, third, second]) {
      expect((await objectsOf(ctx)).missing).toEqual([])
      receipts.push((await deleteThread(ctx, thread)) ?? '')
      await sweepOrphans(systemContextOf(gateway), 0)
    }
    expect(await objectsOf(ctx)).toMatchObject({ files: 0 })
    const counts = await Promise.all(receipts.map(async (id) => (await getErasure(ctx, id)).objects))
    expect(counts).toEqual([0, 0, 1])
  })

  it('goes when its last two files are deleted at once', async () => {
    await exchange(ctx, first, [shown])
    await exchange(ctx, second, [shown])
    const [key] = (await objectsOf(ctx)).keys
    const ofFirst = await markDeletingOf(first)
    const ofSecond = await markDeletingOf(second)
    await Promise.all([deleteObjects(ctx, ofFirst), deleteObjects(ctx, ofSecond)])
    expect(await objectsOf(ctx)).toMatchObject({ files: 0 })
    expect(await gateway.services.objectStore.head(key ?? '')).toBeUndefined()
  })

  it.each([
    ['is being deleted', false],
    ['was deleted', true],
  ])('is put anew for a file that was to share one that %s', async (_, thenDelete) => {
    await exchange(ctx, first, [shown])
    const [before] = (await objectsOf(ctx)).keys
    await exchange(deletingWhileStored(first, thenDelete), second, [shown])
    await sweepOrphans(systemContextOf(gateway), 0)
    const { keys, missing } = await objectsOf(ctx)
    expect(missing).toEqual([])
    expect(keys).toHaveLength(1)
    expect(keys).not.toContain(before)
    expect((await contentOf(ctx, second))[0]?.files).toEqual(['p.png'])
    expect(await gateway.services.objectStore.head(before ?? '')).toBeUndefined()
  })

  it('is there for every file that was stored, whatever is deleted, copied and swept meanwhile', async () => {
    for (let round = 0; round < 4; round++) {
      const [old, doomed] = [await newThread(ctx), await newThread(ctx)]
      await exchange(ctx, old, [shown])
      await exchange(ctx, doomed, [shown, said('user', inlineFile(tone, 't.wav', 'audio'))])
      await Promise.allSettled([
        deleteThread(ctx, old),
        exchange(ctx, first, [shown]),
        cloneThread(ctx, doomed, {}),
        deleteThread(ctx, doomed),
        exchange(ctx, second, [shown, said('user', inlineFile(tone, 't.wav', 'audio'))]),
        sweepOrphans(systemContextOf(gateway), 0),
      ])
    }
    await sweepOrphans(systemContextOf(gateway), 0)
    const { db } = gateway.services
    const isStored = and(eq(attachments.userId, ctx.caller.userId), eq(attachments.state, 'stored'))
    const stored = await db.select({ key: attachments.objectKey }).from(attachments).where(isStored)
    const keys = new Set(stored.map(({ key }) => key))
    const { missing } = await objectsOf(ctx)
    expect(missing.filter((key) => keys.has(key))).toEqual([])
    expect((await contentOf(ctx, first)).filter(({ files }) => files.length > 0)).toHaveLength(4)
    expect((await contentOf(ctx, second)).filter(({ files }) => files.length > 0)).toHaveLength(8)
  })
})

/** Only a server has transactions beside each other: the embedded database has one connection. */
describe('on PostgreSQL, with two transactions at once', () => {
  it('has who deletes a file wait for who comes to share its object', async ({ skip }) => {
    const { db, database } = gateway.services
    skip(database.kind !== 'postgres', 'needs TEST_DATABASE_URL')
    await exchange(ctx, first, [shown])
    const [key] = (await objectsOf(ctx)).keys
    let deleted: Promise<number> | undefined
    const transaction: typeof db.transaction = (work, ...config) =>
      db.transaction(
        async (tx) => {
          const result = await work(tx)
          // The share is not committed yet, and its source is locked: so is the row that is to be marked.
          deleted = markDeletingOf(first).then((files) => deleteObjects(ctx, files))
          const isWaiting = sql`select from pg_stat_activity where wait_event_type = 'Lock' and query like '%attachments%'`
          await expect.poll(() => db.execute(isWaiting), { timeout: 10_000 }).toHaveLength(1)
          return result
        },
        ...config,
      )
    const racing = withServices(ctx, {
      db: new Proxy(db, { get: (target, name) => (name === 'transaction' ? transaction : Reflect.get(target, name)) }),
    })
    await exchange(racing, second, [shown])
    expect(await deleted).toBe(1)
    expect(await objectsOf(ctx)).toEqual({ files: 1, keys: [key], missing: [] })
    expect(await db.$count(attachments, inArray(attachments.objectKey, [key ?? '']))).toBe(1)
  })
})
