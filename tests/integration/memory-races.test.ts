import { eq, sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { auditLog } from '../../src/db/schema/audit-log.ts'
import { erasures } from '../../src/db/schema/erasures.ts'
import { memories } from '../../src/db/schema/memories.ts'
import { memoryFeedback } from '../../src/db/schema/memory-feedback.ts'
import { memoryLinks } from '../../src/db/schema/memory-links.ts'
import { memoryRevisions } from '../../src/db/schema/memory-revisions.ts'
import { seenTurns } from '../../src/db/schema/seen-turns.ts'
import { sessions } from '../../src/db/schema/sessions.ts'
import { stateItems } from '../../src/db/schema/state-items.ts'
import { transcriptTurns } from '../../src/db/schema/transcript-turns.ts'
import { users } from '../../src/db/schema/users.ts'
import { webhookDeliveries } from '../../src/db/schema/webhook-deliveries.ts'
import { webhooks } from '../../src/db/schema/webhooks.ts'
import { continueErasure } from '../../src/domain/erasure/continue-erasure.ts'
import { eraseUser } from '../../src/domain/erasure/erase-user.ts'
import { getErasure } from '../../src/domain/erasure/get-erasure.ts'
import { deleteMemories } from '../../src/domain/memories/delete-memories.ts'
import { expireMemories } from '../../src/domain/memories/expire-memories.ts'
import { getMemory } from '../../src/domain/memories/get-memory.ts'
import { linkMemories } from '../../src/domain/memories/link-memories.ts'
import { listMemories } from '../../src/domain/memories/list-memories.ts'
import { memoryHistory } from '../../src/domain/memories/memory-history.ts'
import { projectScope } from '../../src/domain/memories/memory-scope.ts'
import { memoryStats } from '../../src/domain/memories/memory-stats.ts'
import { pruneMemories } from '../../src/domain/memories/prune-memories.ts'
import { recalculateImportance } from '../../src/domain/memories/recalculate-importance.ts'
import { recordFeedback } from '../../src/domain/memories/record-feedback.ts'
import { searchMemories } from '../../src/domain/memories/search-memories.ts'
import { type StoreOptions, storeMemories } from '../../src/domain/memories/store-memories.ts'
import { updateMemory } from '../../src/domain/memories/update-memory.ts'
import { touchMemories } from '../../src/domain/memories/upkeep-queries.ts'
import { until } from '../helpers/client.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'
import { rowOf, someone, uploadOf } from '../helpers/memories.ts'
import { systemContextOf } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const times = (count: number) => Array.from({ length: count }, (_, index) => index)
const liveSessions = (userId: string) =>
  gateway.services.db
    .select()
    .from(sessions)
    .where(sql`${sessions.userId} = ${userId} and ${sessions.deletedAt} is null`)
const memoriesOf = (userId: string) => gateway.services.db.select().from(memories).where(eq(memories.userId, userId))

describe('the same text, ten times at once', () => {
  const store = async (content: string, options: StoreOptions, more: object = {}) => {
    const { ctx } = await someone(gateway)
    const results = await Promise.all(
      times(10).map(() => storeMemories(ctx, [{ memory: { content, ...more } }], options)),
    )
    expect(await memoriesOf(ctx.caller.userId)).toHaveLength(1)
    expect(await liveSessions(ctx.caller.userId)).toHaveLength(1)
    const ids = new Set(results.flat().map(({ memory }) => memory.id))
    expect(ids.size).toBe(1)
    expect(results.flat().filter(({ outcome }) => outcome === 'stored')).toHaveLength(1)
  }

  it.each(['User prefers dark mode', '我喜欢深色模式', '猫', '🎉🎉', '—'])('is one memory: %s', (content) =>
    store(content, { duplicatesFrom: 0.95 }),
  )

  it('is one memory under one client_ref, whatever it says', () => store('Said once', {}, { clientRef: 'row-1' }))

  it('is one memory within one call, too', async () => {
    const { ctx } = await someone(gateway)
    const items = times(10).map(() => ({ memory: { content: 'Likes tea with milk' } }))
    const results = await storeMemories(ctx, items, { duplicatesFrom: 0.95 })
    expect(results.map(({ outcome }) => outcome)).toEqual(['stored', ...times(9).map(() => 'duplicate')])
  })

  it('is not taken for a text that only shares a character', async () => {
    const { ctx } = await someone(gateway)
    const results = await storeMemories(ctx, [{ memory: { content: '猫, 狗' } }, { memory: { content: '猫' } }], {
      duplicatesFrom: 0.95,
    })
    expect(results.map(({ outcome }) => outcome)).toEqual(['stored', 'stored'])
  })
})

describe('an update', () => {
  it('at the same time as others leaves one text, one session and a history of all', async () => {
    const { ctx, scope, remember } = await someone(gateway)
    const { id } = await remember('At first')
    await Promise.all(times(5).map((index) => updateMemory(ctx, scope, id, { content: `Then ${index}` })))
    const { entries } = await memoryHistory(ctx, scope, id, { limit: 10, offset: 0 })
    expect(entries.map(({ revision }) => revision)).toEqual(times(6))
    const said = entries.slice(1).map(({ diff }) => diff.content)
    for (const [index, change] of said.slice(1).entries()) expect(change?.old).toBe(said[index]?.new)
    expect((await getMemory(ctx, scope, id)).content).toBe(said.at(-1)?.new)
    const live = await liveSessions(ctx.caller.userId)
    expect(live.map((session) => [session.id, session.externalId])).toEqual([
      [(await rowOf(gateway, id))?.sessionId, `memory:${id}`],
    ])
  })

  it('at the same time as its deletion leaves nothing', async () => {
    for (const uploads of [undefined, [await uploadOf(gateway, 'a.txt', Buffer.from('x'))]]) {
      const { ctx, scope, remember } = await someone(gateway)
      const { id } = await remember('At first', {}, { ...(uploads && { uploads }) })
      const [update, removal] = await Promise.allSettled([
        updateMemory(ctx, scope, id, { content: 'Then' }),
        deleteMemories(ctx, scope, [id]),
        updateMemory(ctx, scope, id, { tags: ['late'] }),
      ])
      if (update.status === 'rejected') expect(update.reason).toMatchObject({ code: 'not_found' })
      expect(removal.status).toBe('fulfilled')
      expect(await memoriesOf(ctx.caller.userId)).toEqual([])
      expect(await liveSessions(ctx.caller.userId)).toEqual([])
    }
  })

  it('at the same time as the erasure of its user leaves nothing', async () => {
    const { ctx, scope, remember } = await someone(gateway)
    const { id } = await remember('At first')
    const [, erasure] = await Promise.allSettled([
      updateMemory(ctx, scope, id, { content: 'Then' }),
      eraseUser(ctx, { accountId: ctx.caller.accountId, externalId: '' }),
      updateMemory(ctx, scope, id, { content: 'At last' }),
      remember('One more'),
    ])
    if (erasure.status === 'rejected') throw erasure.reason
    await finish(ctx.caller.userId, erasure.value)
    expect(await memoriesOf(ctx.caller.userId)).toEqual([])
    expect(await gateway.services.db.select().from(users).where(eq(users.id, ctx.caller.userId))).toEqual([])
  })
})

describe('many at work on the same memories', () => {
  it('get on without getting in the way of one another', async () => {
    const { ctx, scope, remember } = await someone(gateway)
    const ids: string[] = []
    for (const index of times(12)) ids.push((await remember(`Number ${index} of many`)).id)
    const { db } = gateway.services
    const work = [
      ...times(4).map(() => touchMemories(db, scope, ids.toReversed())),
      recalculateImportance(ctx, scope),
      pruneMemories(ctx, scope, { maxMemories: 8, archiveOnly: false, dryRun: false }),
      deleteMemories(ctx, scope, ids.slice(6)),
      ...ids.slice(8).map((id) => recordFeedback(ctx, scope, id, { signal: 'positive' }).catch(ifNotFound)),
      ...ids.slice(6).map((id) => updateMemory(ctx, scope, id, { content: `${id} is new` }).catch(ifNotFound)),
    ]
    await Promise.all(work)
    const left = await memoriesOf(ctx.caller.userId)
    expect(left.map(({ id }) => id).every((id) => ids.indexOf(id) < 6)).toBe(true)
    expect(await liveSessions(ctx.caller.userId)).toHaveLength(left.length)
  })
})

/** Does what the jobs would do, without the time that they wait between two attempts. */
async function finish(userId: string, erasureId: string): Promise<void> {
  const { db } = gateway.services
  const system = systemContextOf(gateway)
  await until(
    async () => {
      // As if the backend had had its time for what the erasure came upon.
      await db.update(sessions).set({ settlesAt: sql`now()` }).where(eq(sessions.userId, userId))
      for (const { id } of await db.select().from(erasures).where(eq(erasures.userId, userId))) {
        await continueErasure(system, id)
      }
      return getErasure(system, erasureId)
    },
    ({ status }) => status === 'done',
  )
}

function ifNotFound(error: unknown): void {
  expect(error).toMatchObject({ code: 'not_found' })
}

describe('the erasure of an end user', () => {
  it('hides all that is theirs at once, and leaves nothing of it', async () => {
    const { db } = gateway.services
    const ada = await someone(gateway)
    const bob = await someone(gateway, ada, 'bob@example.com')
    await bob.remember('Stays where it is')
    const uploads = [await uploadOf(gateway, 'a.txt', Buffer.from('A file of theirs'))]
    const [one, two] = [await ada.remember('Goes', {}, { uploads }), await ada.remember('Goes too')]
    await linkMemories(ada.ctx, ada.scope, { from: one.id, to: two.id, type: 'extends' })
    await updateMemory(ada.ctx, ada.scope, two.id, { tags: ['gone'] })
    await recordFeedback(ada.ctx, ada.scope, one.id, { signal: 'positive', comment: 'of use' })
    const { userId, accountId } = ada.ctx.caller
    await keepMore(userId, accountId)
    const erasureId = await eraseUser(ada.ctx, { accountId, externalId: '' })
    const all = projectScope(ada.ctx)
    expect((await listMemories(ada.ctx, all, {}, { limit: 9, order: 'asc' })).items).toMatchObject([
      { content: 'Stays where it is' },
    ])
    expect((await searchMemories(ada.ctx, all, { query: 'Goes', limit: 9 })).found).toEqual([])
    await expect(getMemory(ada.ctx, all, one.id)).rejects.toMatchObject({ code: 'not_found' })
    expect(await memoryStats(ada.ctx, all)).toMatchObject({ visible: 1, users: 1 })
    await finish(ada.ctx.caller.userId, erasureId)
    const tables = [memories, memoryLinks, memoryRevisions, memoryFeedback, sessions]
    const more = [transcriptTurns, stateItems, seenTurns, webhookDeliveries]
    for (const table of [...tables, ...more]) expect(await db.$count(table, eq(table.userId, userId))).toBe(0)
    expect(await db.$count(memories, eq(memories.userId, bob.ctx.caller.userId))).toBe(1)
  })

  /** More rows than one page of each of the other kinds. */
  async function keepMore(userId: string, accountId: string) {
    const { db } = gateway.services
    const [hook] = await db
      .insert(webhooks)
      .values({
        accountId,
        name: 'test',
        url: 'https://example.com',
        events: [],
        secret: 's',
        createdBy: 'test',
        signatureAlgorithm: 'hmac-sha256',
        signatureHeader: 'x',
        timestampHeader: 'y',
        signatureTolerance: 1,
        retryEnabled: false,
        maxRetries: 0,
        initialDelay: 1,
        maxDelay: 1,
        backoffMultiplier: 1,
        retryStatusCodes: [],
      })
      .returning()
    await db.insert(webhookDeliveries).values(
      times(120).map((index) => ({
        webhookId: hook!.id,
        userId,
        eventId: `evt_${index}`,
        eventType: 'memory.created',
        payload: {},
      })),
    )
    await db
      .insert(transcriptTurns)
      .values(times(120).map((seq) => ({ userId, source: 's', sessionId: 'one', role: 'user', content: 'x', seq })))
    await db.insert(stateItems).values(
      times(3).map((index) => ({
        userId,
        source: 's',
        namespace: ['n'],
        key: `${index}`,
        value: {},
        text: '',
        terms: [],
        wordCount: 0,
      })),
    )
    await db.insert(seenTurns).values(times(120).map((index) => ({ userId, fingerprint: `f${index}` })))
  }
})

describe('a memory whose time is over', () => {
  it('is out of sight at that moment, in the way of nobody, and deleted for good by the job', async () => {
    const { ctx, scope, remember } = await someone(gateway)
    const soon = new Date(Date.now() + 3_600_000)
    const { id } = await remember('Only for now', { expiresAt: soon, clientRef: 'row' })
    expect((await getMemory(ctx, scope, id)).id).toBe(id)
    await gateway.services.db.update(memories).set({ expiresAt: sql`now()` }).where(eq(memories.id, id))
    await expect(getMemory(ctx, scope, id)).rejects.toMatchObject({ code: 'not_found' })
    expect((await searchMemories(ctx, scope, { query: 'now', limit: 5 })).found).toEqual([])
    const [again] = await storeMemories(ctx, [{ memory: { content: 'Only for now', clientRef: 'row' } }])
    expect(again?.outcome).toBe('stored')
    expect(await rowOf(gateway, id)).toBeUndefined()
  })

  it('is in the care of a job', async () => {
    const { services } = gateway
    const { ctx, remember } = await someone(gateway)
    await remember('Over', {}, { row: { expiresAt: new Date(0) } })
    await services.db.transaction((tx) => services.jobs.enqueue(tx, { name: 'expire-memories' }))
    await until(
      () => memoriesOf(ctx.caller.userId),
      (rows) => rows.length === 0,
    )
  })

  it('goes, however many are at it, and the others stay', async () => {
    const { ctx, scope, remember } = await someone(gateway)
    const gone: string[] = []
    for (const index of times(6))
      gone.push((await remember(`Number ${index}`, {}, { row: { expiresAt: new Date(0) } })).id)
    const stays = await remember('Has time', { expiresAt: new Date(Date.now() + 3_600_000) })
    expect(await memoryStats(ctx, scope)).toMatchObject({ visible: 1, expired: 6 })
    const system = systemContextOf(gateway)
    await Promise.all(times(3).map(() => expireMemories({ ...system, requestId: 'job:expire-memories' })))
    await until(
      () => memoriesOf(ctx.caller.userId),
      (rows) => rows.length === 1,
    )
    expect(await memoriesOf(ctx.caller.userId)).toMatchObject([{ id: stays.id }])
    const log = await gateway.services.db.select().from(auditLog).where(eq(auditLog.userId, ctx.caller.userId))
    const deleted = log.filter(({ action, requestId }) => action === 'memory.delete' && requestId.startsWith('job:'))
    expect(deleted.map(({ target }) => target).toSorted()).toEqual(gone.toSorted())
  })
})

describe("another's memory that is asked for", () => {
  it('is as unknown as any, and the asking is written down', async () => {
    const ada = await someone(gateway)
    const { id, number } = await ada.remember('Mine')
    const [bob, eve] = [await someone(gateway, ada, 'bob@example.com'), await someone(gateway)]
    const asked = [
      () => getMemory(bob.ctx, bob.scope, id),
      () => getMemory(eve.ctx, projectScope(eve.ctx), number),
      () => updateMemory(eve.ctx, eve.scope, id, { content: 'Yours' }),
      () => recordFeedback(eve.ctx, eve.scope, number, { signal: 'negative' }),
      () => memoryHistory(eve.ctx, eve.scope, id, { limit: 1, offset: 0 }),
    ]
    const unknown = await getMemory(eve.ctx, eve.scope, 'f'.repeat(8)).catch((error: unknown) => error)
    for (const ask of asked) await expect(ask()).rejects.toEqual(unknown)
    await deleteMemories(eve.ctx, eve.scope, [id])
    const written = () =>
      gateway.services.db
        .select()
        .from(auditLog)
        .where(eq(auditLog.target, `memory:${id}`))
    const rows = await until(written, ({ length }) => length === asked.length + 1)
    expect(rows.every(({ action, result }) => action === 'access' && result === 'denied')).toBe(true)
    const keys = [ada.ctx.service.keyId, ...times(5).map(() => eve.ctx.service.keyId)]
    expect(rows.map(({ keyId }) => String(keyId)).toSorted()).toEqual(keys.toSorted())
  })

  it('by what cannot be an id is unknown too', async () => {
    const { ctx, scope } = await someone(gateway)
    for (const by of ['', 'a\0b', "'", 0, -1, 1.5, 1e30, Number.NaN]) {
      await expect(getMemory(ctx, scope, by)).rejects.toMatchObject({ code: 'not_found' })
    }
    expect(await deleteMemories(ctx, scope, ['a\0b'])).toEqual([])
    const many = times(1_001).map(String)
    await expect(deleteMemories(ctx, scope, many)).rejects.toMatchObject({ code: 'invalid_request' })
  })
})
